// A process at its limit of open files refuses further connections, continues to run, and serves the open ones.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { APP_CERTIFICATE, TEST_CA } from '../support/credentials/certificates.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { findProgram } from '../support/process/find-program.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { freePort } from '../support/process/free-port.ts'
import { Processes } from '../support/process/processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

const HELLO = `GET /hello HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
const UPGRADE = `GET /raw HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n`
/** The time of two readings of the memory guard, because a failed reading could end the process. */
const OBSERVED_MS = 1200
const onLinux = process.platform === 'linux'
const prlimit = findProgram('prlimit')

const connections: RawConnection[] = []
afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy()
})

async function open(port: number, count: number, from?: string): Promise<RawConnection[]> {
  const opened: RawConnection[] = []
  for (let index = 0; index < count; index += 1)
    opened.push(await RawConnection.open(port, '127.0.0.1', from))
  connections.push(...opened)
  return opened
}

/** Waits until the peer has closed all but `expected` of the connections. */
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

/** Resolves with the lowest free file number of the process, when the process opens and closes no more files. */
async function settledFiles(pid: number): Promise<number> {
  let last = -1
  let same = 0
  return await eventually('the open files stay the same', () => {
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
    let lowestFree = 0
    while (used.has(lowestFree)) lowestFree += 1
    same = lowestFree === last ? same + 1 : 0
    last = lowestFree
    return same === 50 ? lowestFree : undefined
  })
}

// Only Linux has loopback addresses other than 127.0.0.1 without a configuration.
describe.skipIf(!onLinux)('Plugboard with 256 open files', async () => {
  const certificates = join(tmpdir(), `vera-test-open-files-${process.pid}`)
  const tlsPort = await freePort()
  beforeAll(async () => {
    await mkdir(certificates)
    await writeFile(join(certificates, 'app.crt'), APP_CERTIFICATE.cert)
    await writeFile(join(certificates, 'app.key'), APP_CERTIFICATE.key, { mode: 0o600 })
  })
  const tls = ['--tls-listen', `127.0.0.1:${tlsPort}`, '--tls-certificate-folder', certificates]
  // Runs after the stack has stopped.
  afterAll(() => removeFolder(certificates))
  const stack = useStack({ plugboardOpenFiles: 256, plugboardArgs: tls })

  it.skipIf(prlimit === undefined)(
    'continues without any free file, and works again when files are free',
    async () => {
      const { pid } = stack.plugboard.child
      execFileSync(prlimit!, ['--pid', String(pid), `--nofile=${await settledFiles(pid)}:`])
      for (const port of [stack.port, tlsPort, stack.plugboard.adminPort])
        await untilOpen(await open(port, 20), 0)
      await stack.plugboard.child.waitForLine(/the memory of the process could not be read/)
      execFileSync(prlimit!, ['--pid', String(pid), '--nofile=256:'])
      await eventually('it serves again', async () => {
        const { status } = await send({ port: stack.port, host: HOST, path: '/hello' })
        return status === 200 ? true : undefined
      })
      await stack.plugboard.addService('made-afterwards')
    },
  )

  it('refuses idle connections above its lowered limits, and serves other connections', async () => {
    expect(stack.plugboard.child.output).toContain('maxConnections from 20000 to 85')
    expect(stack.plugboard.child.output).toContain('the limit of open files is 256')

    await untilOpen(await open(stack.port, 400), 42)
    const [other] = await open(stack.port, 1, '127.0.0.2')
    const startedAt = performance.now()
    while (performance.now() - startedAt < OBSERVED_MS) {
      await other!.send(HELLO)
      expect(await other!.readResponse()).toMatchObject({ status: 200 })
    }
    await stack.plugboard.addService('made-meanwhile')
    const status = await stack.plugboard.call<{ traffic: { connectionsRefused: number } }>(
      'GET',
      '/v1/status',
    )
    expect(status.traffic.connectionsRefused).toBeGreaterThanOrEqual(358)
  })

  it('accepts handshakes of other clients when one client starts many and finishes no handshake', async () => {
    await untilOpen(await open(tlsPort, 40), 11)
    // The types of connectTls do not have localAddress, which it passes to connect of node:net.
    const target = {
      host: '127.0.0.1',
      port: tlsPort,
      localAddress: '127.0.0.2',
      ca: TEST_CA,
      servername: HOST,
    }
    const socket = connectTls(target)
    await once(socket, 'secureConnect')
    socket.destroy()
  })

  it('accepts new clients at the admin port when a client opens many idle connections', async () => {
    await untilOpen(await open(stack.plugboard.adminPort, 100), 17)
    expect((await send({ port: stack.plugboard.adminPort, path: '/readyz' })).status).toBe(200)
  })
})

it('Plugboard does not start with fewer open files than it needs', async () => {
  const processes = new Processes()
  const folder = await temporaryFolder()
  const plugboard = await PlugboardProcess.launch({ processes, folder, openFiles: 100 })
  plugboard.child.expectedToExit = true
  expect((await plugboard.child.exited).code).toBe(1)
  expect(plugboard.child.output).toBe(
    'plugboard: The limit of open files is 100, and Plugboard needs at least 128. Raise it: ulimit -n, ' +
      'LimitNOFILE= of systemd, --ulimit nofile= of Docker.',
  )
  await processes.stopAll()
  await removeFolder(folder)
})

describe('a Telephone with 128 open files', () => {
  // All requests come from one client, which would get its share of the limits alone.
  const stack = useStack({ telephoneOpenFiles: 128, telephoneArgs: ['--client-share', '100%'] })

  it('serves more concurrent requests than it has files, each in its turn', async () => {
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

  it('refuses upgrades above its limit, and continues to serve requests', async () => {
    const statuses: number[] = []
    for (const connection of await open(stack.port, 60)) {
      await connection.send(UPGRADE)
      statuses.push((await connection.readResponse()).status)
    }
    expect(statuses).toEqual([...Array(34).fill(101), ...Array(26).fill(503)])
    const plain = Array.from({ length: 60 }, () => send({ port: stack.port, host: HOST, path: '/hello' }))
    expect(new Set((await Promise.all(plain)).map(({ status }) => status))).toEqual(new Set([200]))
  })
})
