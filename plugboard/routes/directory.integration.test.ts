import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'
import type { Database } from '../database/database.ts'
import {
  createDirectory,
  type Directory,
  type DirectoryListener,
  type DirectoryOptions,
} from './directory.ts'
import { DEFAULT_SERVICE_POLICY } from './options/service-policy.ts'

let db: TestDatabase
let database: Database
let folder: string
let warnings: string[]
const open: Directory[] = []
const by = { actor: 'test' }

beforeEach(async () => {
  db = await createTestDatabase()
  database = db.open()
  folder = await mkdtemp(join(tmpdir(), 'plugboard-directory-'))
  warnings = []
})
afterEach(async () => {
  await Promise.all(open.splice(0).map(directory => directory.stop()))
  await db.drop()
  await rm(folder, { recursive: true })
})

function directoryOf(options: Partial<DirectoryOptions> = {}): Directory {
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const directory = createDirectory({ database, log, ...options })
  open.push(directory)
  return directory
}

/** An unavailable database. */
const absent: DirectoryOptions['database'] = {
  openChangeFeed: () => Promise.reject(new VeraError('database_unavailable')),
}

/** Resolves with the arguments of the listener's first call for which the condition is true. */
function event<Name extends keyof DirectoryListener>(
  directory: Directory,
  name: Name,
  likes: (...args: Parameters<NonNullable<DirectoryListener[Name]>>) => boolean = () => true,
): Promise<Parameters<NonNullable<DirectoryListener[Name]>>> {
  return new Promise(resolve => {
    const unsubscribe = directory.subscribe({
      [name]: (...args: Parameters<NonNullable<DirectoryListener[Name]>>) => {
        if (!likes(...args)) return
        unsubscribe()
        resolve(args)
      },
    })
  })
}

const caughtUp = async (directory: Directory) =>
  await directory.waitForSequence(await database.store.changes.latest())

async function query(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  await client.query(text)
  await client.end()
}

describe('following the database', () => {
  test('it loads the existing rows, and applies each change', async () => {
    const { store } = database
    const shop = await store.services.create({ name: 'shop', policy: { retries: 5 } }, by)
    await store.routes.create({ mount: 'shop.test/api', service: 'shop' }, by)
    const directory = directoryOf()
    expect(directory.source).toBeUndefined()
    expect(await directory.start()).toBe('database')
    expect(directory.source).toBe('database')
    expect(directory.match('shop.test', '/api/x')).toMatchObject({
      service: { id: shop.id, name: 'shop', policy: { ...DEFAULT_SERVICE_POLICY, retries: 5 } },
      options: { stripMount: false },
    })
    expect(directory.match('shop.test', '/web')).toBeUndefined()

    const added = event(directory, 'routeChanged')
    const web = await store.routes.create(
      { mount: 'shop.test/web', service: 'shop', options: { stripMount: true } },
      by,
    )
    expect(await added).toEqual([undefined, directory.route(web.id)])
    expect(directory.match('shop.test', '/web')?.options.stripMount).toBe(true)

    await store.routes.update(web.id, { mount: '*.test/web' }, by)
    await store.services.update('shop', { name: 'store', policy: { retries: 1 } }, by)
    await caughtUp(directory)
    expect(directory.match('shop.test', '/web')?.host).toBe('*.test')
    expect(directory.match('shop.test', '/api')?.service).toMatchObject({
      name: 'store',
      policy: { retries: 1 },
    })
    // The old name is an alias, for telephones that announce it.
    expect(directory.serviceByName('shop')).toBe(directory.serviceByName('store'))
    expect([...directory.routesOfService(shop.id)]).toHaveLength(2)
    await store.services.update('store', { policy: { retries: 1 } }, by)
    await caughtUp(directory)
    expect(directory.serviceByName('shop')).toBeUndefined()

    for (const mount of ['shop.test/api', '*.test/web']) await store.routes.remove(mount, by)
    await store.services.remove('store', by)
    await caughtUp(directory)
    expect(directory.routeCount).toBe(0)
    expect(directory.match('shop.test', '/api')).toBeUndefined()
    expect([...directory.services(), ...directory.routesOfService(shop.id)]).toEqual([])
  })

  test('it applies revocations of tokens, and added and removed keys', async () => {
    const { store } = database
    const scope = { services: ['*'], mounts: ['*'], ttlSeconds: 60 }
    const [early, late] = [
      await store.tokens.create({ name: 'early', ...scope }, by),
      await store.tokens.create({ name: 'late', ...scope }, by),
    ]
    await store.tokens.revoke(early.id, by)
    const directory = directoryOf()
    await directory.start()
    expect([early, late].map(({ id }) => directory.isRevoked(id))).toEqual([true, false])
    const revoked = event(directory, 'tokenRevoked')
    await store.tokens.revoke(late.id, by)
    expect(await revoked).toEqual([late.id])
    expect(directory.isRevoked(late.id)).toBe(true)

    const keysChanged = event(directory, 'keysChanged')
    await store.signingKeys.rotate({ kid: 'k1', publicJwk: { x: 'pub' }, privateJwk: { d: 'secret' } }, by)
    await keysChanged
    expect(directory.verificationKeys()).toEqual([{ kid: 'k1', algorithm: 'EdDSA', publicJwk: { x: 'pub' } }])
    await store.signingKeys.rotate({ kid: 'k2', publicJwk: {}, privateJwk: {} }, by)
    await caughtUp(directory)
    expect(
      directory
        .verificationKeys()
        .map(({ kid }) => kid)
        .sort(),
    ).toEqual(['k1', 'k2'])
    await store.signingKeys.remove('k1', by)
    await caughtUp(directory)
    expect(directory.verificationKey('k1')).toBeUndefined()
  })

  test('it reopens a lost connection and misses no change', async () => {
    const { store } = database
    await store.services.create({ name: 'shop' }, by)
    const directory = directoryOf()
    await directory.start()
    const lost = event(directory, 'databaseReachable', reachable => !reachable)
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'plugboard changes' AND datname = current_database()`,
    )
    await lost
    await store.routes.create({ mount: 'a.test', service: 'shop' }, by)
    await caughtUp(directory)
    expect(directory.match('a.test', '/')).toBeDefined()
    expect(directory.databaseReachable).toBe(true)
  })

  test('it applies a transaction as a whole', async () => {
    await database.store.services.create({ name: 'shop' }, by)
    await database.store.routes.create({ mount: 'a.test/old', service: 'shop' }, by)
    const directory = directoryOf()
    await directory.start()
    const seen: boolean[] = []
    directory.subscribe({
      applied: () => seen.push(directory.match('a.test', '/old/new') !== undefined),
    })
    await query(`BEGIN; UPDATE plugboard.routes SET deleted_at = now();
      INSERT INTO plugboard.routes (host, mount_path, service_id)
        SELECT 'a.test', '/old/new', id FROM plugboard.services; COMMIT`)
    await caughtUp(directory)
    expect(seen).toEqual([true])
  })

  test('it applies a statement in which two rows exchange their mounts', async () => {
    const { store } = database
    await store.services.create({ name: 'shop' }, by)
    for (const mount of ['a.test/1', 'a.test/2', 'a.test/3'])
      await store.routes.create({ mount, service: 'shop' }, by)
    const directory = directoryOf()
    await directory.start()
    await query(`BEGIN; UPDATE plugboard.routes SET host = 'b.test';
      UPDATE plugboard.routes SET host = 'a.test', mount_path = '/' || (1 + right(mount_path, 1)::int % 3); COMMIT`)
    await caughtUp(directory)
    for (const path of ['/1', '/2', '/3']) {
      expect(directory.match('a.test', path)?.mountPath).toBe(path)
      expect(directory.match('b.test', path)).toBeUndefined()
    }
  })
})

describe('when the log does not continue from the position', () => {
  test('it loads a new state after the log was truncated', async () => {
    const { store } = database
    await store.services.create({ name: 'shop' }, by)
    const kept = await store.routes.create({ mount: 'kept.test', service: 'shop' }, by)
    await store.routes.create({ mount: 'gone.test', service: 'shop' }, by)
    const directory = directoryOf({ snapshotFile: join(folder, 'routes') })
    await directory.start()
    await directory.stop()

    await store.routes.remove('gone.test', by)
    await store.routes.create({ mount: 'new.test', service: 'shop' }, by)
    expect(await store.changes.prune(1)).toBeGreaterThan(0)
    const changes: string[] = []
    const again = directoryOf({ snapshotFile: join(folder, 'routes'), database: lateDatabase() })
    again.subscribe({ routeChanged: (before, after) => changes.push(`${before?.host} ${after?.host}`) })
    expect(await again.start()).toBe('snapshot')
    expect(again.match('gone.test', '/')).toBeDefined()
    await caughtUp(again)
    expect(warnings).toContain('reloading all routes')
    expect(again.match('gone.test', '/')).toBeUndefined()
    expect(again.match('kept.test', '/')?.id).toBe(kept.id)
    expect(again.match('new.test', '/')).toBeDefined()
    expect(changes.slice(2)).toEqual(['gone.test undefined', 'undefined new.test'])
  })

  /** Returns a database that opens its feed at the second attempt. */
  function lateDatabase(): DirectoryOptions['database'] {
    let asked = 0
    return {
      openChangeFeed: () => (asked++ === 0 ? absent.openChangeFeed() : database.openChangeFeed()),
    }
  }

  test('it loads a new state after the database was restored to an older state and then changed', async () => {
    const { store } = database
    await store.services.create({ name: 'shop' }, by)
    await store.routes.create({ mount: 'a.test', service: 'shop' }, by)
    const directory = directoryOf({ pollIntervalMs: 20 })
    await directory.start()
    // Does the same as a restore: removes the last change, and gives its number to another one.
    const reloaded = event(directory, 'routeChanged', (_, after) => after?.host === 'b.test')
    await query(`BEGIN; SET LOCAL session_replication_role = replica;
      DELETE FROM plugboard.routes; DELETE FROM plugboard.changes WHERE sequence = 2;
      UPDATE plugboard.change_head SET sequence = 1, change_id = (SELECT id FROM plugboard.changes);
      SET LOCAL session_replication_role = origin;
      INSERT INTO plugboard.routes (host, mount_path, service_id) SELECT 'b.test', '/', id FROM plugboard.services;
      COMMIT`)
    await reloaded
    expect(directory.match('a.test', '/')).toBeUndefined()
    expect(warnings).toContain('reloading all routes')
  })
})

describe('the snapshot file', () => {
  const file = () => join(folder, 'routes')

  async function filled(): Promise<void> {
    const { store } = database
    await store.services.create({ name: 'shop', policy: { retries: 3 } }, by)
    await store.routes.create({ mount: '*.test/api', service: 'shop', options: { stripMount: true } }, by)
    await store.signingKeys.rotate(
      { kid: 'k1', publicJwk: { x: 'pub' }, privateJwk: { d: 'top-secret' } },
      by,
    )
    const token = await store.tokens.create({ name: 't', services: [], mounts: [], ttlSeconds: 60 }, by)
    await store.tokens.revoke(token.id, by)
    const directory = directoryOf({ snapshotFile: file() })
    await directory.start()
    await directory.stop()
  }

  test('serves a start without a database', async () => {
    await filled()
    const directory = directoryOf({ snapshotFile: file(), database: absent })
    expect(await directory.start()).toBe('snapshot')
    expect(directory.match('a.test', '/api')).toMatchObject({
      service: { name: 'shop', policy: { retries: 3 } },
      options: { stripMount: true },
    })
    expect(directory.verificationKey('k1')).toBeDefined()
    expect(directory.appliedSequence).toBe(5)
    expect(directory.databaseReachable).toBe(false)
  })

  test('holds the lifetime of a claim', async () => {
    const reference = { kind: 'outside', issuer: 'https://issuer.test', subject: 'ada', id: '1' } as const
    const token = { reference, services: ['*'], mounts: ['*'], maxClaims: 9 }
    const { store } = database
    await store.claimMount({ service: 'short', mount: 'short.test', lifetimeMs: 60_000, token })
    await store.claimMount({ service: 'long', mount: 'long.test', token })
    const writing = directoryOf({ snapshotFile: file() })
    await writing.start()
    await writing.stop()
    const directory = directoryOf({ snapshotFile: file(), database: absent })
    expect(await directory.start()).toBe('snapshot')
    expect(directory.match('short.test', '/')).toMatchObject({ lifetimeMs: 60_000 })
    expect(directory.match('long.test', '/')).toMatchObject({ lifetimeMs: null })
  })

  test('of an older version has the old names of options, and the route still gives its fixed response', async () => {
    const page = { status: 503, body: 'Later.' }
    const { store } = database
    await store.services.create({ name: 'shop' }, by)
    await store.routes.create({ mount: 'a.test', service: 'shop', options: { respond: page } }, by)
    const writing = directoryOf({ snapshotFile: file() })
    await writing.start()
    await writing.stop()
    const lines = (await readFile(file(), 'utf8')).split('\n').slice(0, -2)
    const body = `${lines.join('\n')}\n`
      .replace('"version":2', '"version":1')
      .replace('"respond"', '"answer"')
    const sha256 = createHash('sha256').update(body).digest('hex')
    await writeFile(file(), `${body}${JSON.stringify({ rows: lines.length - 1, sha256 })}\n`)
    expect(body).toContain('"version":1')
    expect(body).toContain('"answer":{"status":503')

    const directory = directoryOf({ snapshotFile: file(), database: absent })
    expect(await directory.start()).toBe('snapshot')
    expect(directory.match('a.test', '/')?.options.rules).toEqual({ respond: page })
  })

  test('holds no secret and is readable only by its owner', async () => {
    await filled()
    expect(await readFile(file(), 'utf8')).not.toContain('top-secret')
    expect((await stat(file())).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['cut short', (text: string) => text.slice(0, -20)],
    ['damaged', (text: string) => text.replace('*.test', '*.tset')],
    ['empty', () => ''],
    ['of another format', (text: string) => text.replace('"version":2', '"version":9')],
    ['no text at all', () => '\0\xff\n{}\n'],
  ])('one that is %s is left alone, with a warning', async (_, damage) => {
    await filled()
    await writeFile(file(), damage(await readFile(file(), 'utf8')))
    const directory = directoryOf({ snapshotFile: file() })
    expect(await directory.start()).toBe('database')
    const starting = directoryOf({ snapshotFile: file(), database: absent })
    const stop = new AbortController()
    const started = starting.start(stop.signal)
    await expect.poll(() => warnings).toContain('the snapshot of the routes cannot be used')
    stop.abort(new Error('enough'))
    await expect(started).rejects.toThrow('enough')
    expect(starting.source).toBeUndefined()
  })

  test('causes a warning when it cannot be written, and traffic continues', async () => {
    const directory = directoryOf({ snapshotFile: join(folder, 'nowhere', 'routes') })
    expect(await directory.start()).toBe('database')
    await directory.stop()
    expect(warnings).toContain('the snapshot of the routes cannot be written')
  })
})

test('it follows the overrides of processes, and keeps them in the snapshot file', async () => {
  const { services, processOverrides } = database.store
  const { id: serviceId } = await services.create({ name: 'shop' }, by)
  const create = (instance: string) =>
    processOverrides.create({ serviceId, instance, telephone: 'a', weight: 0, setBy: 'ana' }, by)
  await create('first')
  const snapshotFile = join(folder, 'routes.snapshot')
  const directory = directoryOf({ snapshotFile })
  await directory.start()
  expect(directory.overrideOf(serviceId, 'first')).toMatchObject({ weight: 0, setBy: 'ana', version: 1 })
  const changed = event(directory, 'overrideChanged')
  const second = await create('second')
  expect(await changed).toEqual([serviceId, 'second'])
  const ejected = await processOverrides.update(
    second.id,
    { weight: null, ejectMs: 60_000, setBy: 'ben' },
    by,
  )
  await processOverrides.remove((await processOverrides.list()).items[0]!.id, by)
  await caughtUp(directory)
  expect([...directory.overrides()]).toEqual([
    {
      id: second.id,
      serviceId,
      instance: 'second',
      weight: null,
      ejectedUntilMs: ejected.ejectedUntil!.getTime(),
      reason: null,
      setBy: 'ben',
      version: 2,
    },
  ])
  await directory.stop()
  const restarted = directoryOf({ database: absent, snapshotFile })
  expect(await restarted.start()).toBe('snapshot')
  expect([...restarted.overrides()]).toEqual([...directory.overrides()])
})
