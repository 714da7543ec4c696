// The project itself: a Plugboard with its embedded database, a Telephone, and one route. Only these two processes count,
// because a request uses no database.

import { resolve } from 'node:path'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import { freePort } from '../../support/process/free-port.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import { TelephoneProcess } from '../../support/programs/telephone-process.ts'
import { programOf } from '../program.ts'
import { type StartTarget, type Target, type TargetContext, TargetMissing } from '../target.ts'

const HOST = 'bench.localhost'
const SERVICE = 'bench'

/** The host of another service with the same certificate. */
const GRPC_HOST = 'grpc.localhost'

/** The build of this checkout. */
export const startVera: StartTarget = context => startFrom(undefined, context.source, context)

/** Plugboard as another program, with further flags. */
interface PlugboardVariant {
  readonly program: string
  readonly args: readonly string[]
}

/** The build of this checkout with another Plugboard. */
export function startVeraWith(variant: PlugboardVariant, context: TargetContext): Promise<Target> {
  return startFrom(undefined, context.source, context, variant)
}

/** The build that `--against` names. */
export const startOtherVera: StartTarget = context => {
  if (context.against === undefined) throw new TargetMissing('--against names no checkout')
  return startFrom(resolve(context.against), false, context)
}

async function startFrom(
  root: string | undefined,
  source: boolean,
  { processes, backendPort, folder, front }: TargetContext,
  variant?: PlugboardVariant,
): Promise<Target> {
  const program = (name: 'plugboard' | 'telephone') => programOf(name, source, root)
  const tlsPort = front && (await freePort())
  const tls = front
    ? ['--tls-listen', `127.0.0.1:${tlsPort}`, '--tls-certificate-folder', front.certificateFolder]
    : []
  const plugboard = await PlugboardProcess.start({
    processes,
    folder,
    args: [...(variant?.args ?? ['--no-access-log']), ...tls],
    ...(variant === undefined ? program('plugboard') : { program: variant.program }),
  })
  await plugboard.addService(SERVICE)
  await plugboard.addRoute(HOST, SERVICE)
  const { token } = await plugboard.issueToken({ services: ['*'] })
  const common = { processes, plugboard, token, ...program('telephone') }
  const telephones = [await TelephoneProcess.start({ ...common, service: SERVICE, target: backendPort })]
  if (front !== undefined) {
    await plugboard.addService('grpc')
    await plugboard.addRoute(GRPC_HOST, 'grpc')
    const target = `h2c://127.0.0.1:${front.grpcPort}`
    telephones.push(await TelephoneProcess.start({ ...common, service: 'grpc', target }))
  }
  await eventually('the route works', async () =>
    (await send({ port: plugboard.port, host: HOST })).status === 200 ? true : undefined,
  )
  return {
    port: plugboard.port,
    host: HOST,
    ...(tlsPort !== undefined && { front: { tlsPort, grpcHost: GRPC_HOST } }),
    roles: {
      plugboard: () => [plugboard.child.pid],
      telephone: () => telephones.map(({ child }) => child.pid),
    },
  }
}
