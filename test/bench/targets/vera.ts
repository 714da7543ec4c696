// The project itself: a Plugboard with its embedded database, a Telephone, one route between. Only the two
// processes count; the database is not asked for anything on the way of a request.

import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http-client.ts'
import { PlugboardProcess } from '../../support/plugboard-process.ts'
import { TelephoneProcess } from '../../support/telephone-process.ts'
import type { StartTarget } from '../target.ts'

const HOST = 'bench.localhost'
const SERVICE = 'bench'

export const startVera: StartTarget = async ({ processes, backendPort, folder }) => {
  const plugboard = await PlugboardProcess.start({ processes, folder, args: ['--no-access-log'] })
  await plugboard.addService(SERVICE)
  await plugboard.addRoute(HOST, SERVICE)
  const { token } = await plugboard.issueToken({ services: [SERVICE] })
  const telephone = await TelephoneProcess.start({
    processes,
    plugboard,
    token,
    service: SERVICE,
    target: backendPort,
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
