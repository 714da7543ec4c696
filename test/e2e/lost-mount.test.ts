// A route that an administrator deletes on one replica, while a Telephone with a tunnel to each replica has claimed its mount:
// the Telephone warns once, and shows the URL again when a route is back.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { useCluster } from '../support/programs/cluster.ts'

const MOUNT = 'lost.localhost'
const cluster = useCluster(2)

it('a Telephone warns once when its mount is deleted, and reports the mount when it exists again', async () => {
  await cluster.untilLinked()
  const { child } = await cluster.startTelephone(1, { service: 'lost', mount: MOUNT })
  await child.waitForLine(/replica-1 \(tunnel 2 of 2\)/)
  const { port } = cluster.places[0]!
  const status = async (): Promise<number> => (await send({ port, host: MOUNT, path: '/hello' })).status
  await eventually('the mount is served', async () => ((await status()) === 200 ? true : undefined))

  expect((await cluster.replicas[0]!.cli('route', 'rm', MOUNT)).code).toBe(0)
  await child.waitForLine(/^! lost: /)
  const from = child.lines.length
  // Fails when the Telephone was faster: it claims the mount with each new announcement, such as that of a new tunnel.
  await cluster.replicas[0]!.cli('route', 'add', MOUNT, '--service', 'lost')
  await child.waitForLine(/^✓ http:\/\/lost\.localhost:\d+\/ → /, { from })
  await eventually('the mount is served again', async () => ((await status()) === 200 ? true : undefined))
  expect(child.lines.filter(line => line.startsWith('!'))).toEqual([
    '! lost: The route of mount lost.localhost was deleted, so requests for it do not reach this service. ' +
      'A new announcement claims the mount again, unless another service has it. ' +
      'To keep the mount free, stop this Telephone or revoke its token. ' +
      'This Telephone claims it again within 60 s.',
  ])
  await child.stop()
})
