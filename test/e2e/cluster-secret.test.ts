// A rotation of the clusterSecret, replica by replica. At each moment, all replicas accept each other.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { SECRET, useCluster } from '../support/programs/cluster.ts'
import { HOST } from '../support/programs/stack.ts'

const NEW = 'another secret for the cluster of tests'
// A pinned Telephone never moves to another replica, so a replica that stops does not wait for it.
const cluster = useCluster(2, { replicaArgs: ['--drain-timeout', '1s'] })

/** Sends each request through the replica without a Telephone of the service. */
async function untilForwardedBothWays(): Promise<void> {
  for (const [index, host] of [
    [1, HOST],
    [0, 'second.test'],
  ] as const) {
    await eventually(`replica ${index + 1} forwards`, async () => {
      const { status } = await send({ port: cluster.places[index]!.port, host, path: '/hello' })
      return status === 200 ? true : undefined
    })
  }
}

it('requests are forwarded in both directions at each step of a rotation', async () => {
  const [first] = cluster.replicas
  await first!.addService('second')
  await first!.addRoute('second.test', 'second')
  const pinned = ['--tunnels', '1', '--no-follow-replicas']
  const telephones = [
    await cluster.startTelephone(0, { args: pinned }),
    await cluster.startTelephone(1, { args: pinned, service: 'second' }),
  ]
  await untilForwardedBothWays()
  // The pairs of settings that meet: before all replicas have the new secret, while it becomes the first, and while the old
  // one is removed.
  const steps: [index: number, secrets: string[]][] = [
    [0, [SECRET, NEW]],
    [1, [NEW, SECRET]],
    [0, [NEW]],
  ]
  for (const [index, secrets] of steps) {
    await cluster.replicas[index]!.child.stop()
    const { child } = await cluster.startReplica(index, { secrets })
    await cluster.untilLinked()
    await untilForwardedBothWays()
    expect(cluster.replicas.map(replica => replica.child.output).join('\n')).not.toContain(NEW)
    expect(child.output).not.toMatch(/peer refused|replica not reached.*401/)
  }
  for (const { child } of telephones) await child.stop()
}, 120_000)
