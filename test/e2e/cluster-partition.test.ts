// Two replicas that lose their connection and connect again; a third replica that joins; a Telephone that is started again on
// another replica.

import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST } from '../support/programs/stack.ts'

const cluster = useCluster(2, { withRelays: true })
const pinned = ['--tunnels', '1', '--no-follow-replicas']
const hello = (index: number) => send({ port: cluster.places[index]!.port, host: HOST, path: '/hello' })
const row = async (index: number, id: string) => (await cluster.status(index)).find(each => each.id === id)

async function untilResponded(index: number, outcome: string): Promise<void> {
  await eventually(`replica ${index + 1} responds with ${outcome}`, async () => {
    const { status, headers } = await hello(index)
    return (headers['plugboard-error'] ?? String(status)) === outcome ? true : undefined
  })
}

it('each side of a partition serves with the lines that it reaches, and both agree again afterwards', async () => {
  await cluster.untilLinked()
  const only = await cluster.startTelephone(0, { args: pinned })
  await untilResponded(1, '200')
  for (const relay of cluster.relays) relay.blackhole(true)
  await untilResponded(1, 'no_telephone')
  expect((await hello(0)).status).toBe(200)
  await eventually('the disagreement is reported', async () => {
    const { disagreements = [] } = (await row(1, 'replica-1')) as { disagreements?: string[] }
    return disagreements.some(text => text.includes('no link')) ? true : undefined
  })
  // With a line on both sides, a client notices neither the partition nor its end.
  const other = await cluster.startTelephone(1, { args: pinned })
  await untilResponded(1, '200')
  const loops = [0, 1].map(index => new RequestLoop({ port: cluster.places[index]!.port, host: HOST }))
  await Promise.all(loops.map(loop => loop.successes(50)))
  for (const relay of cluster.relays) relay.blackhole(false)
  await cluster.untilLinked()
  await Promise.all(loops.map(loop => loop.successes(50)))
  for (const relay of cluster.relays) relay.cut()
  await cluster.untilLinked()
  await Promise.all(loops.map(loop => loop.successes(50)))
  expect(await Promise.all(loops.map(loop => loop.stop()))).toEqual([[], []])
  await eventually('both replicas have both lines', async () => {
    const lines = await Promise.all([row(0, 'replica-2'), row(1, 'replica-1')])
    return lines.every(each => each?.lines === 1 && each.leaseMs !== 0) ? true : undefined
  })
  for (const { child } of [only, other]) await child.stop()
})

it('a newer process of a Telephone replaces the older one on another replica, until it ends', async () => {
  const older = await cluster.startTelephone(0, { args: pinned, name: 'twin' })
  await untilResponded(0, '200')
  const newer = await cluster.startTelephone(1, { args: pinned, name: 'twin' })
  const untilLines = (first: number, second: number) =>
    eventually(`lines: ${first} and ${second}`, async () => {
      const rows = await Promise.all([row(0, 'replica-1'), row(1, 'replica-2')])
      return rows[0]?.lines === first && rows[1]?.lines === second ? true : undefined
    })
  await untilLines(0, 1)
  await untilResponded(0, '200')
  await newer.child.stop('SIGKILL')
  // The tunnel of the older process is still open, so that process does not dial again.
  await untilLines(1, 0)
  await untilResponded(0, '200')
  await older.child.stop()
})

it('a replica that joins gets its share of tunnels without a failed request or a cut stream', async () => {
  const telephones = []
  for (let index = 0; index < 4; index += 1) telephones.push(await cluster.startTelephone(index % 2))
  await cluster.untilTunnels(8)
  const loop = new RequestLoop({ port: cluster.places[0]!.port, host: HOST })
  await loop.successes(50)
  await cluster.addReplica()
  await cluster.untilLinked()
  await eventually(
    'the newcomer has tunnels',
    async () => (Number((await row(2, 'replica-3'))?.tunnels) >= 2 ? true : undefined),
    40_000,
  )
  await loop.successes(50)
  expect(await loop.stop()).toEqual([])
  for (const { child } of telephones) await child.stop()
})
