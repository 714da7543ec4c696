// Certificates from an authority: Pebble, two replicas of Plugboard with one database, and clients that trust only Pebble. All
// requests of Pebble arrive at the first replica, also for orders of the second one.

import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend } from '../support/backend/backend-process.ts'
import { send } from '../support/http/http-client.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { freePort } from '../support/process/free-port.ts'
import { Processes } from '../support/process/processes.ts'
import { BINDING, PEBBLE_MISSING, Pebble } from '../support/programs/pebble.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'

const processes = new Processes()
const SECRET = 'a-secret-that-the-database-does-not-know'

interface Replica {
  process: PlugboardProcess
  readonly tlsPort: number
}

let folders: string[] = []
let database: TestDatabase
let pebble: Pebble
let first: Replica
let second: Replica
let root = ''

/** The authority uses one port for each kind of challenge, so all replicas of these tests use the same two ports. */
let httpPort = 0
let tlsPort = 0

async function startReplica(
  name: string,
  ports: { port: number; tlsPort: number },
  flags: string[] = [],
  again?: { folder: string; databaseUrl: string },
) {
  const folder = again?.folder ?? (await temporaryFolder())
  if (again === undefined) folders.push(folder)
  const process = await PlugboardProcess.start({
    processes,
    folder,
    databaseUrl: again?.databaseUrl ?? database.url,
    port: ports.port,
    env: { NODE_EXTRA_CA_CERTS: pebble.caFile },
    args: [
      '--name',
      name,
      '--cluster-secret',
      SECRET,
      '--peer-listen',
      `127.0.0.1:${await freePort()}`,
      '--tls-listen',
      `127.0.0.1:${ports.tlsPort}`,
      '--https-redirect',
      '--acme-directory',
      pebble.directory,
      '--acme-agree',
      '--acme-email',
      'someone@shop.test',
      '--acme-binding-key-id',
      BINDING.keyId,
      '--acme-binding-key',
      BINDING.key,
      '--acme-hosts',
      'main.test,*.listed.test',
      ...flags,
    ],
  })
  return { process, tlsPort: ports.tlsPort }
}

const query = async <Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> => {
  const client = new pg.Client(database.url)
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Rejects when the certificate is not one of the authority for this host. */
async function shake(replica: Replica, servername: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: replica.tlsPort, ca: root, servername })
  await once(socket, 'secureConnect')
  return socket
}

async function serialOf(replica: Replica, host: string): Promise<string> {
  const socket = await shake(replica, host)
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

describe.skipIf(PEBBLE_MISSING)(
  'with Pebble (skipped when the Debian package pebble is not installed)',
  () => {
    beforeAll(async () => {
      const folder = await temporaryFolder()
      folders = [folder]
      ;[httpPort, tlsPort] = [await freePort(), await freePort()]
      database = await createTestDatabase()
      pebble = await Pebble.start({ processes, folder, httpPort, tlsPort, bindingRequired: true })
      root = await pebble.root()
      first = await startReplica('one', { port: httpPort, tlsPort })
      second = await startReplica('two', { port: await freePort(), tlsPort: await freePort() }, [
        '--acme-challenges',
        'tls-alpn-01,http-01',
      ])
      const { process } = first
      await process.addService('app')
      const hosts = ['a.test', 'b.test', 'c.test', 'd.test', 'lost.test', '*.wild.test', '*.listed.test']
      for (const host of hosts) await process.addRoute(host, 'app')
      const backend = await Backend.start(processes)
      const { token } = await process.issueToken({ services: ['*'], mounts: ['*'] })
      await TelephoneProcess.start({
        processes,
        plugboard: process,
        target: backend.port,
        token,
        service: 'app',
      })
    })
    afterAll(async () => {
      await processes.stopAll()
      await database.drop()
      for (const folder of folders) await removeFolder(folder)
    })

    it('orders at the first handshake by http-01, and both replicas serve the same', async () => {
      const socket = await shake(first, 'a.test')
      expect(socket.getPeerCertificate().subjectaltname).toBe('DNS:a.test')
      socket.write('GET /hello HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
      const [bytes] = await once(socket, 'data')
      expect(String(bytes)).toMatch(/^HTTP\/1\.1 200 OK/)
      socket.destroy()
      expect(await serialOf(second, 'a.test')).toBe(await serialOf(first, 'a.test'))
      expect(first.process.child.output).toContain('certificate issued')
    })

    it('orders by tls-alpn-01, and another replica responds to the challenge', async () => {
      const serial = await serialOf(second, 'b.test')
      expect(second.process.child.output).toContain('certificate issued')
      expect(await serialOf(first, 'b.test')).toBe(serial)
    })

    it('orders once for many handshakes on several replicas', async () => {
      const replicas = [first, second, first, second, first, second]
      const serials = await Promise.all(replicas.map(replica => serialOf(replica, 'c.test')))
      expect(new Set(serials).size).toBe(1)
    })

    it('orders in advance for the hosts in the settings, and on demand under their wildcards', async () => {
      await expect
        .poll(() => query('SELECT host FROM plugboard.certificates WHERE chain IS NOT NULL'))
        .toContainEqual({ host: 'main.test' })
      expect(await serialOf(first, 'main.test')).not.toBe('')
      expect(await serialOf(first, 'x.listed.test')).not.toBe('')
    })

    it('orders no certificate for a host without its own route', async () => {
      for (const host of ['x.wild.test', 'stranger.test', 'a.b.listed.test']) {
        await expect(shake(first, host)).rejects.toThrow(/altnames/i)
      }
      const rows = await query<{ host: string }>('SELECT host FROM plugboard.certificates')
      expect(rows.map(({ host }) => host).filter(host => /wild|stranger|b\.listed/.test(host))).toEqual([])
    })

    it('keeps private keys and the account encrypted', async () => {
      const keys = await query<{ key: string }>(
        'SELECT key FROM plugboard.certificates WHERE key IS NOT NULL UNION SELECT key FROM plugboard.acme_accounts',
      )
      expect(keys.length).toBeGreaterThan(3)
      for (const { key } of keys) expect(key).toMatch(/^v1:[A-Za-z0-9+/=]+$/)
      expect(await query('SELECT directory FROM plugboard.acme_accounts')).toHaveLength(1)
      expect(await query('SELECT name FROM plugboard.acme_challenges')).toEqual([])
    })

    it('waits before the next order for a host whose order failed', async () => {
      await pebble.move('lost.test', '127.0.0.9')
      await expect(shake(first, 'lost.test')).rejects.toThrow(/altnames/i)
      const [row] = await query<{ failures: number; last_error: string; ahead: boolean }>(
        `SELECT failures, last_error, next_attempt_at > now() + interval '3 minutes' AS ahead
       FROM plugboard.certificates WHERE host = 'lost.test'`,
      )
      expect(row).toMatchObject({ failures: 1, ahead: true })
      expect(row?.last_error).toMatch(/http-01 failed: .*127\.0\.0\.9/)
      await expect(shake(second, 'lost.test')).rejects.toThrow()
      expect(first.process.child.output).toContain('certificate not issued')
    })

    it('renews a certificate that is due, and the other replica uses the new one', async () => {
      const before = await serialOf(second, 'd.test')
      expect(await serialOf(first, 'd.test')).toBe(before)
      await query(`UPDATE plugboard.certificates SET renew_at = now() WHERE host = 'd.test'`)
      await second.process.child.stop()
      const { port } = second.process
      second = await startReplica('two', { port, tlsPort: second.tlsPort })
      await expect.poll(() => second.process.child.output).toContain('certificate issued')
      expect(await serialOf(second, 'd.test')).not.toBe(before)
      // The first replica still has a valid certificate, and uses the new one after its next check.
      expect([before, await serialOf(second, 'd.test')]).toContain(await serialOf(first, 'd.test'))
    })

    it('serves the certificates that it used before when it starts without the database', async () => {
      const serial = await serialOf(second, 'a.test')
      const { port, folder } = second.process
      await second.process.child.stop()
      const databaseUrl = `postgres://nobody@127.0.0.1:${await freePort()}/none`
      const ports = { port, tlsPort: second.tlsPort }
      second = await startReplica('two', ports, [], { folder, databaseUrl })
      expect(await serialOf(second, 'a.test')).toBe(serial)
    })

    it('forwards unknown challenge tokens to the backend, and redirects other requests', async () => {
      const own = {
        port: httpPort,
        host: 'a.test',
        path: '/.well-known/acme-challenge/of-the-backend-itself',
      }
      expect((await send(own)).status).toBe(308)
      await first.process.call('POST', '/v1/routes', {
        mount: 'plain.test',
        service: 'app',
        options: { allowHttp: true },
      })
      await expect
        .poll(async () => (await send({ ...own, host: 'plain.test' })).headers['plugboard-error'])
        .toBeUndefined()
    })
  },
)
