// Open streams and requests while a cluster changes: streams on tunnels that move to another replica, requests at a replica
// that stops, and requests of a process that a newer one replaces.

import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { openRequest, send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST, SERVICE } from '../support/programs/stack.ts'

const cluster = useCluster(2)
const at = (index: number, path: string) => ({ port: cluster.places[index]!.port, host: HOST, path })

/** An event stream whose events the test triggers at the backend. Collects the received text. */
class Stream {
  received = ''
  readonly ended: Promise<string>

  private constructor(message: IncomingMessage) {
    message.setEncoding('utf8')
    message.on('data', (text: string) => {
      this.received += text
    })
    this.ended = new Promise((resolve, reject) => {
      message.on('end', () => resolve(this.received))
      message.on('error', reject)
    })
    // The test awaits this promise only at its end, so a rejection before it is marked as handled.
    this.ended.catch(() => undefined)
  }

  static async open(index: number, method = 'GET'): Promise<Stream> {
    return new Stream(await openRequest({ ...at(index, '/stepped'), method, timeoutMs: 120_000 }).response)
  }
}

async function untilAllReceived(streams: readonly Stream[], text: string): Promise<void> {
  cluster.backend.step(text)
  await eventually(`all streams have "${text}"`, () =>
    streams.every(({ received }) => received.includes(text)) ? true : undefined,
  )
}

it('a stream on a tunnel that moves to a replica that has joined is never cut', async () => {
  const telephones = []
  for (let index = 0; index < 3; index += 1) telephones.push(await cluster.startTelephone(index % 2))
  await cluster.untilTunnels(6)
  const streams: Stream[] = []
  // Opens streams until each tunnel has one, so that any tunnel that moves has one.
  await eventually('every tunnel has a stream', async () => {
    streams.push(await Stream.open(streams.length % 2))
    const rows = await Promise.all(cluster.replicas.map(replica => replica.telephones()))
    return rows.flat().every(({ streams: open }) => Number(open) > 0) ? true : undefined
  })
  await cluster.addReplica()
  await cluster.untilLinked()
  await eventually(
    'the new replica has its share',
    async () => {
      const self = (await cluster.status(2)).find(row => row.self)
      return Number(self?.tunnels) >= 2 ? true : undefined
    },
    50_000,
  )
  await untilAllReceived(streams, 'after the move')
  cluster.backend.step()
  for (const stream of streams) expect(await stream.ended).toContain('after the move')
  for (const { child } of telephones) await child.stop()
  // A replica moves one tunnel every two seconds, and each Telephone at another time.
}, 120_000)

it('a replica that stops serves requests while it is unready, then accepts no connection', async () => {
  const telephone = await cluster.startTelephone(0)
  await cluster.replicas[1]!.child.stop()
  await cluster.startReplica(1, { args: ['--stop-delay', '500ms'] })
  await cluster.untilLinked()
  await eventually('the replica serves', async () =>
    (await send(at(1, '/hello'))).status === 200 ? true : undefined,
  )
  const loop = new RequestLoop(at(1, '/hello'))
  await loop.successes(20)
  const { adminPort, child } = cluster.replicas[1]!
  const stopped = child.stop()
  await eventually('the replica is unready', async () =>
    (await send({ port: adminPort, path: '/readyz' })).status === 503 ? true : undefined,
  )
  await loop.successes(20)
  await stopped
  // ECONNRESET: the system had accepted the connection, but the process had not.
  for (const outcome of await loop.stop()) expect(['ECONNREFUSED', 'ECONNRESET']).toContain(outcome)
  await cluster.startReplica(1)
  await cluster.untilLinked()
  await telephone.child.stop()
})

it('a process that a newer one replaces on another replica finishes its requests', async () => {
  const pinned = ['--tunnels', '1', '--no-follow-replicas']
  const older = await cluster.startTelephone(0, { args: pinned, name: 'twin' })
  await eventually('the older one serves', async () =>
    (await send(at(1, '/hello'))).status === 200 ? true : undefined,
  )
  const stream = await Stream.open(1, 'POST')
  const newer = await cluster.startTelephone(1, { args: pinned, name: 'twin' })
  await eventually('the line is the newer one alone', async () => {
    const { lines } = await cluster.replicas[0]!.call<{
      lines: { service: string; replicas: Record<string, number> }[]
    }>('GET', '/v1/replicas')
    const counts = lines.find(row => row.service === SERVICE)?.replicas
    return counts?.['replica-1'] === undefined && counts?.['replica-2'] === 1 ? true : undefined
  })
  await untilAllReceived([stream], 'from the older one')
  cluster.backend.step()
  expect(await stream.ended).toContain('from the older one')
  for (const { child } of [older, newer]) await child.stop()
})
