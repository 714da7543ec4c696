// Three replicas on one Postgres: a Telephone that is connected to any replica is reachable through every replica, also when a
// replica is killed, is stopped, or drains and starts again.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { HOST } from '../support/programs/stack.ts'

const cluster = useCluster(3)
const hello = (index: number, path = '/hello') =>
  send({ port: cluster.places[index]!.port, host: HOST, path })
const untilServed = (index: number) =>
  eventually(`replica ${index + 1} serves`, async () =>
    (await hello(index)).status === 200 ? true : undefined,
  )
/** Opens a connection after all others. When it is open, the system has accepted the others too. */
const untilQueued = async (port: number) => (await RawConnection.open(port)).destroy()

describe('three replicas', () => {
  it('find each other, and reach a Telephone of any of them', async () => {
    await cluster.untilLinked()
    const telephone = await cluster.startTelephone(0, { args: ['--tunnels', '1', '--no-follow-replicas'] })
    for (const index of [0, 1, 2]) await untilServed(index)
    const body = 'x'.repeat(300_000)
    for (const { port } of cluster.places) {
      const response = await send({ port, host: HOST, path: '/echo', method: 'POST', body })
      expect([response.status, response.text === body]).toEqual([200, true])
    }
    await telephone.child.stop()
  })

  it('keep a snapshot each, in a data folder that they create', async () => {
    for (const replica of cluster.replicas) {
      const file = join(replica!.folder, 'data', 'snapshot.json')
      await eventually(`${file} is there`, () => (existsSync(file) ? true : undefined))
    }
  })

  it('fail no request that another replica can serve when one is killed', async () => {
    // Two tunnels, on two of the three replicas.
    const telephones = [await cluster.startTelephone(0), await cluster.startTelephone(2)]
    await cluster.untilTunnels(4)
    const loops = [0, 1].map(index => new RequestLoop({ port: cluster.places[index]!.port, host: HOST }))
    await Promise.all(loops.map(loop => loop.successes(50)))
    await cluster.replicas[2]!.child.stop('SIGKILL')
    await Promise.all(loops.map(loop => loop.successes(300)))
    for (const index of [0, 1]) {
      await eventually('the lines of the killed replica are removed', async () =>
        (await cluster.status(index)).every(({ id, leaseMs }) => id !== 'replica-3' || leaseMs === 0)
          ? true
          : undefined,
      )
    }
    expect(await Promise.all(loops.map(loop => loop.stop()))).toEqual([[], []])
    await cluster.startReplica(2)
    await cluster.untilLinked()
    await untilServed(2)
    for (const { child } of telephones) await child.stop()
  })

  it('fail no request to a replica that was stopped by SIGSTOP and continues', async () => {
    // One of its two tunnels is on the replica that is stopped.
    const telephone = await cluster.startTelephone(2)
    await cluster.untilTunnels(2)
    await untilServed(2)
    const { child, adminPort } = cluster.replicas[2]!
    const { port } = cluster.places[2]!
    const body = 'x'.repeat(100_000)
    const responses: Promise<number>[] = []
    let readiness: Promise<number>
    child.signal('SIGSTOP')
    try {
      await eventually('the others and the telephone have given it up', async () => {
        const rows = await Promise.all([cluster.status(0), cluster.status(1)])
        const tunnels = rows.flat().filter(({ self }) => self)
        const given = rows.every(items =>
          items.every(({ id, link }) => id !== 'replica-3' || link === 'none'),
        )
        return given && tunnels.every(row => row.tunnels === 1) ? true : undefined
      })
      // These requests wait in the queue of the system. Some may not be sent twice, and some tunnels are dead.
      for (let count = 0; count < 10; count += 1) {
        responses.push(hello(2).then(({ status }) => status))
        const upload = send({ port, host: HOST, path: '/echo', method: 'POST', body })
        responses.push(upload.then(({ status, text }) => (text === body ? status : 0)))
      }
      readiness = send({ port: adminPort, path: '/readyz' }).then(({ status }) => status)
      await Promise.all([port, adminPort].map(untilQueued))
    } finally {
      child.signal('SIGCONT')
    }
    expect(await readiness).toBe(503)
    await eventually('it is ready', async () =>
      (await send({ port: adminPort, path: '/readyz' })).status === 200 ? true : undefined,
    )
    responses.push(hello(2).then(({ status }) => status))
    expect(await Promise.all(responses)).toEqual(responses.map(() => 200))
    await cluster.untilLinked()
    await telephone.child.stop()
  }, 60_000)

  it('fail no request when each replica in turn drains, stops and starts again', async () => {
    const telephone = await cluster.startTelephone(0)
    await cluster.untilTunnels(2)
    for (const stopped of [0, 1, 2]) {
      const others = [0, 1, 2].filter(index => index !== stopped)
      const loops = others.map(index => new RequestLoop({ port: cluster.places[index]!.port, host: HOST }))
      await Promise.all(loops.map(loop => loop.successes(30)))
      await cluster.replicas[stopped]!.child.stop()
      await Promise.all(loops.map(loop => loop.successes(50)))
      await cluster.startReplica(stopped)
      await cluster.untilLinked()
      await Promise.all(loops.map(loop => loop.successes(50)))
      expect(await Promise.all(loops.map(loop => loop.stop()))).toEqual([[], []])
    }
    await telephone.child.stop()
  })
})
