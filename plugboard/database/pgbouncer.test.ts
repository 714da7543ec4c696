// Behind PgBouncer, as Debian has it. Skipped where it is not installed; .ci/run installs it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import { findProgram } from '../../test/support/find-program.ts'
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts'
import { freePort } from '../../test/support/free-port.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import { canConnect } from '../../test/support/raw-connection.ts'
import { createDirectory } from '../routes/directory.ts'
import { type Database, openDatabase } from './database.ts'

const program = findProgram('pgbouncer')

describe.skipIf(program === undefined).each(['session', 'transaction'] as const)('pool_mode = %s', mode => {
  let direct: TestDatabase
  let database: Database
  let folder: string
  let relay: Server
  let stop: () => Promise<void>

  beforeAll(async () => {
    direct = await createTestDatabase()
    folder = await temporaryFolder()
    const url = new URL(direct.url.replace('@/', '@socket/'))
    const host = url.searchParams.get('host') ?? url.hostname
    const port = await freePort()
    const password = decodeURIComponent(url.password)
    const name = url.pathname.slice(1)
    const file = join(folder, 'pgbouncer.ini')
    // PgBouncer does not run as root, and another user cannot reach the socket of the server: a relay can.
    relay = createServer(near => {
      const far = host.startsWith('/')
        ? connect(join(host, `.s.PGSQL.${url.port || 5432}`))
        : connect(Number(url.port || 5432), host)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on('error', () => other.destroy()).pipe(other)
      }
    }).listen(0, '127.0.0.1')
    await once(relay, 'listening')
    const relayPort = (relay.address() as AddressInfo).port
    const server = `host=127.0.0.1 port=${relayPort} user=${url.username} password='${password}'`
    const settings = `listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\nauth_type = any\npool_mode = ${mode}\n`
    await writeFile(file, `[databases]\n${name} = ${server}\n[pgbouncer]\n${settings}`)
    await chmod(folder, 0o755)
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    await chmod(file, 0o644)
    const child = spawn(program as string, ['-q', ...user, file], { stdio: 'ignore' })
    await eventually('pgbouncer listens', async () => ((await canConnect(port)) ? true : undefined))
    database = openDatabase({ url: `postgres://any@127.0.0.1:${port}/${name}` })
    stop = async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  })
  afterAll(async () => {
    await database?.close()
    await stop?.()
    relay?.close()
    await direct?.drop()
    await removeFolder(folder)
  })

  test('serves, and reports whether notifications arrive', async () => {
    const warnings: string[] = []
    const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
    const directory = createDirectory({ database, log, pollIntervalMs: 100 })
    await directory.start()
    for (let index = 0; index < 5; index += 1) {
      const service = await database.store.services.create({ name: `shop-${index}` }, { actor: 'test' })
      await eventually('the change is in the table', () => directory.serviceByName(service.name))
    }
    if (mode === 'session') expect([directory.notificationsArrive, warnings]).toEqual([true, []])
    else {
      await expect.poll(() => directory.notificationsArrive).toBe(false)
      expect(warnings).toContain('notifications of the database are lost: changes are found by polling')
    }
    await directory.stop()
  })
})
