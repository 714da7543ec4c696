// The errors of callers when Postgres is down, slow or silent: one code, in time, and no secret in the message.

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { VeraError } from '@vera-stack/shared/errors.ts'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'
import { type Database, openDatabase } from './database.ts'

const by = { actor: 'test' }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function testDatabase(): Promise<TestDatabase> {
  const db = await createTestDatabase()
  cleanups.push(() => db.drop())
  return db
}

function opened(
  url: string,
  options: { connectTimeoutMs?: number; statementTimeoutMs?: number } = {},
): Database {
  const database = openDatabase({ url, ...options })
  cleanups.push(() => database.close())
  return database
}

/** Starts a server that accepts connections and sends no byte. */
async function silentServer(): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => sockets.delete(socket))
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise(closed => server.close(closed))
  })
  return `postgres://u@127.0.0.1:${(server.address() as AddressInfo).port}/d`
}

const unavailable = { name: 'VeraError', code: 'database_unavailable', cause: expect.any(Error) }

test('a server that does not run is unavailable', async () => {
  for (const url of [
    'postgres://u@127.0.0.1:1/d',
    'postgres://u@localhost:1/d',
    'postgres://u@/d?host=/nowhere',
  ]) {
    const database = opened(url)
    await expect(database.store.services.list(), url).rejects.toMatchObject(unavailable)
    await expect(database.store.services.create({ name: 'a' }, by), url).rejects.toMatchObject(unavailable)
    await expect(database.openChangeFeed(), url).rejects.toMatchObject(unavailable)
  }
})

test('a server that never responds is unavailable', async () => {
  const database = opened(await silentServer(), { connectTimeoutMs: 50 })
  await expect(database.store.changes.latest()).rejects.toMatchObject(unavailable)
  await expect(database.openChangeFeed()).rejects.toMatchObject(unavailable)
})

test('a missing database is unavailable, and an empty one reports its missing table', async () => {
  const db = await createTestDatabase({ empty: true })
  cleanups.push(() => db.drop())
  await expect(
    opened(db.url.replace(/plugboard_test_[^?]*/, 'no_such_database')).store.changes.latest(),
  ).rejects.toMatchObject(unavailable)
  // This state does not end by itself, so the error is not `database_unavailable`.
  await expect(db.open().store.services.list()).rejects.toMatchObject({ code: '42P01' })
})

test('connections that are cut do not disturb the next query', async () => {
  const db = await testDatabase()
  const database = db.open()
  await Promise.all(Array.from({ length: 5 }, () => database.store.changes.latest()))
  const admin = new pg.Client({ connectionString: db.url })
  await admin.connect()
  await admin.query(
    'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  )
  await admin.end()
  // The pool notices the end of its connections a little later. Until then, a query may use a closed connection.
  await expect.poll(() => database.store.changes.latest().then(() => 'ok', String)).toBe('ok')
})

test('a connection that ends in the middle of a transaction fails that write, and the process continues', async () => {
  const db = await testDatabase()
  const database = db.open()
  const admin = new pg.Client({ connectionString: db.url })
  // When this test fails early, its database is dropped under this connection.
  admin.on('error', () => undefined)
  await admin.connect()
  await admin.query('BEGIN; SELECT * FROM plugboard.change_head FOR UPDATE')
  // The transaction waits for the lock, and the pool does not listen for errors of its connection now.
  const write = database.store.services.create({ name: 'cut' }, by).catch((error: unknown) => error)
  const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`
  const cutOnce = async () => {
    // Within a transaction, pg_stat_activity is a snapshot from the first query.
    await admin.query('SELECT pg_stat_clear_snapshot()')
    return (await admin.query(cut)).rowCount
  }
  await expect.poll(cutOnce).toBe(1)
  expect(await write).toMatchObject(unavailable)
  await admin.query('ROLLBACK')
  await admin.end()
  expect(await database.store.services.create({ name: 'cut' }, by)).toMatchObject({ version: 1 })
})

test('a statement that waits too long is cancelled, with its transaction', async () => {
  const db = await testDatabase()
  const database = db.open({ statementTimeoutMs: 200 })
  const blocker = new pg.Client({ connectionString: db.url })
  await blocker.connect()
  await blocker.query('BEGIN; SELECT * FROM plugboard.change_head FOR UPDATE')
  await expect(database.store.services.create({ name: 'late' }, by)).rejects.toMatchObject(unavailable)
  await blocker.query('ROLLBACK')
  await blocker.end()
  expect(await database.store.services.find('late')).toBeUndefined()
  expect(await database.store.services.create({ name: 'late' }, by)).toMatchObject({ version: 1 })
})

test('an error of a statement with secrets does not repeat them', async () => {
  const { store } = (await testDatabase()).open()
  const key = { kid: 'k', publicJwk: {}, privateJwk: { d: 'top-secret' } }
  await store.signingKeys.rotate(key, by)
  const error = await store.signingKeys.rotate(key, by).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(VeraError)
  const { message, stack, cause } = error as VeraError
  expect(`${message} ${stack} ${String(cause)} ${JSON.stringify(cause)}`).not.toContain('top-secret')
})
