// A process that runs out of open files refuses what comes beyond its limits, lives on, and serves what it has.

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { findProgram } from '../support/find-program.ts'
import { send } from '../support/http-client.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { HOST, Stack } from '../support/stack.ts'

const HELLO = `GET /hello HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
const UPGRADE = `GET /raw HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n`
/** Two readings of the memory guard, whose failure ended the process once. */
const OBSERVED_MS = 1200
const prlimit = findProgram('prlimit')

let stack: Stack
const connections: RawConnection[] = []

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy()
  await stack.stop()
})

async function open(port: number, count: number, from?: string): Promise<RawConnection[]> {
  const opened: RawConnection[] = []
  for (let index = 0; index < count; index += 1)
    opened.push(await RawConnection.open(port, '127.0.0.1', from))
  connections.push(...opened)
  return opened
}

/** Those that are still open when the far end has closed all that it closes. */
async function untilOpen(opened: readonly RawConnection[], expected: number): Promise<void> {
  let open = opened.length
  for (const { closed } of opened)
    void closed.then(() => {
      open -= 1
    })
  await eventually(`${expected} of ${opened.length} connections stay open`, () =>
    open === expected ? true : undefined,
  )
}

// Another address than 127.0.0.1 is there without further ado on Linux alone.
describe.skipIf(process.platform !== 'linux')('Plugboard with 256 open files', () => {
  it('refuses idle connections beyond its lowered limits, and goes on to serve others', async () => {
    stack = new Stack({ plugboardOpenFiles: 256 })
    await stack.start()
    expect(stack.plugboard.child.output).toContain('maxConnections from 20000 to 107')
    expect(stack.plugboard.child.output).toContain('the limit of open files is 256')

    await untilOpen(await open(stack.port, 400), 53)
    const [other] = await open(stack.port, 1, '127.0.0.2')
    const startedAt = performance.now()
    while (performance.now() - startedAt < OBSERVED_MS) {
      await other!.send(HELLO)
      expect(await other!.readAnswer()).toMatchObject({ status: 200 })
    }
    await stack.plugboard.addService('made-meanwhile')
    await stack.startTelephone()
    const status = await stack.plugboard.call<{ traffic: { connectionsRefused: number } }>(
      'GET',
      '/v1/status',
    )
    expect(status.traffic.connectionsRefused).toBeGreaterThanOrEqual(347)
  })

  it('keeps out floods of the admin port, which lets newcomers in', async () => {
    stack = new Stack({ plugboardOpenFiles: 256 })
    await stack.start()
    await untilOpen(await open(stack.plugboard.adminPort, 100), 17)
    expect((await send({ port: stack.plugboard.adminPort, path: '/readyz' })).status).toBe(200)
    expect((await send({ port: stack.port, host: HOST, path: '/hello' })).status).toBe(200)
  })

  it('does not start with fewer open files than it needs', async () => {
    stack = new Stack({ plugboardOpenFiles: 100 })
    await expect(stack.start()).rejects.toThrow(
      'The limit of open files is 100, and Plugboard needs at least 128. Raise it: ulimit -n',
    )
    stack.processes.all.at(-1)!.expectedToExit = true
  })
})

describe.skipIf(process.platform !== 'linux' || prlimit === undefined)('open files that run out', () => {
  it('cost connections, not the process; with free files everything works again', async () => {
    const clusterSecret = 'the cluster secret of this test'
    stack = new Stack({
      plugboardArgs: ['--peer-listen', '127.0.0.1:0'],
      plugboardEnv: { PLUGBOARD_CLUSTER_SECRET: clusterSecret },
    })
    await stack.start()
    const { pid } = stack.plugboard.child
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
    let lowestFree = 0
    while (used.has(lowestFree)) lowestFree += 1
    execFileSync(prlimit!, ['--pid', String(pid), `--nofile=${lowestFree}:`])
    for (const port of [stack.port, stack.plugboard.adminPort]) await untilOpen(await open(port, 20), 0)
    await stack.plugboard.child.waitForLine(/the memory of the process could not be read/)
    execFileSync(prlimit!, ['--pid', String(pid), '--nofile=1024:'])
    await eventually('it serves again', async () => {
      const { status } = await send({ port: stack.port, host: HOST, path: '/hello' })
      return status === 200 ? true : undefined
    })
    await stack.plugboard.addService('made-afterwards')
  })
})

describe('a Telephone with 128 open files', () => {
  it('serves more requests at once than it has files, each in its turn', async () => {
    stack = new Stack({ telephoneOpenFiles: 128 })
    await stack.start()
    await stack.telephone.child.waitForLine(/maxConnections of app from 512 to 34/)
    const requests = Array.from({ length: 150 }, () =>
      send({ port: stack.port, host: HOST, path: '/stepped' }),
    )
    const finished = Promise.all(requests)
    let done = false
    void finished.finally(() => {
      done = true
    })
    await eventually('all requests have finished', () => {
      stack.backend.step()
      return done ? true : undefined
    })
    expect(new Set((await finished).map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('refuses upgrades beyond its limit, and goes on to serve requests and tunnels', async () => {
    stack = new Stack({ telephoneOpenFiles: 128 })
    await stack.start()
    const statuses: number[] = []
    for (const connection of await open(stack.port, 60)) {
      await connection.send(UPGRADE)
      statuses.push((await connection.readAnswer()).status)
    }
    expect(statuses).toEqual([...Array(34).fill(101), ...Array(26).fill(503)])
    const plain = Array.from({ length: 60 }, () => send({ port: stack.port, host: HOST, path: '/hello' }))
    expect(new Set((await Promise.all(plain)).map(({ status }) => status))).toEqual(new Set([200]))
  })
})
