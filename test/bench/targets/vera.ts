// The project itself: a Plugboard with its embedded database, a Telephone, one route between. Only the two
// processes count; the database is not asked for anything on the way of a request.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http-client.ts'
import { PlugboardProcess } from '../../support/plugboard-process.ts'
import { TelephoneProcess } from '../../support/telephone-process.ts'
import { type StartTarget, TargetMissing } from '../target.ts'

const HOST = 'bench.localhost'
const SERVICE = 'bench'
const ROOT = join(import.meta.dirname, '../../..')

/** What users run: published packages and images hold bundles. */
function bundleOf(name: string): string {
  const file = join(ROOT, name, 'dist/main.js')
  if (!existsSync(file)) throw new TargetMissing('there are no bundles: npm run build makes them')
  return file
}

export const startVera: StartTarget = async ({ processes, backendPort, folder, source }) => {
  const program = (name: string) => (source ? {} : { program: bundleOf(name) })
  const plugboard = await PlugboardProcess.start({
    processes,
    folder,
    args: ['--no-access-log'],
    ...program('plugboard'),
  })
  await plugboard.addService(SERVICE)
  await plugboard.addRoute(HOST, SERVICE)
  const { token } = await plugboard.issueToken({ services: [SERVICE] })
  const telephone = await TelephoneProcess.start({
    processes,
    plugboard,
    token,
    service: SERVICE,
    target: backendPort,
    ...program('telephone'),
  })
  await eventually('the route works', async () =>
    (await send({ port: plugboard.port, host: HOST })).status === 200 ? true : undefined,
  )
  return {
    port: plugboard.port,
    host: HOST,
    roles: { plugboard: () => [plugboard.child.pid], telephone: () => [telephone.child.pid] },
  }
}
