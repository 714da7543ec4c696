// Stops and restarts a separate Postgres while a directory uses it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger as log } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Database, openDatabase } from '../database/database.ts'
import { EmbeddedPostgres } from '../database/embedded/embedded-postgres.ts'
import { migrateDatabase } from '../database/migration/migrate.ts'
import { createDirectory, type Directory } from './directory.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const by = { actor: 'test' }
let folder: string
let postgres: EmbeddedPostgres
let database: Database
let directory: Directory

const startPostgres = () => EmbeddedPostgres.start({ folder: join(folder, 'postgres'), log, durable: false })
const newDirectory = () => createDirectory({ database, log, snapshotFile: join(folder, 'routes') })
const reachable = (wanted: boolean) =>
  new Promise<void>(resolve => {
    const unsubscribe = directory.subscribe({
      databaseReachable: is => {
        if (is !== wanted) return
        unsubscribe()
        resolve()
      },
    })
  })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugboard-outage-'))
  postgres = await startPostgres()
  await migrateDatabase({ url: postgres.url })
  database = openDatabase({ url: postgres.url })
  await database.store.services.create({ name: 'shop' }, by)
  await database.store.routes.create({ mount: 'before.test', service: 'shop' }, by)
  directory = newDirectory()
  await directory.start()
})
afterEach(async () => {
  await directory.stop()
  await database.close()
  await postgres.stop()
  await rm(folder, { recursive: true })
})

test('valid rules, invalid rules and routes without a service survive a restart from the snapshot', async () => {
  const redirect = { to: 'https://new.test' }
  await database.store.routes.create({ mount: 'old.test', service: null, options: { redirect } }, by)
  const access = { allow: ['10.0.0.0/8'] }
  await database.store.routes.create({ mount: 'guarded.test', service: 'shop', options: { access } }, by)
  await database.store.routes.create({ mount: 'newer.test', service: 'shop', options: { access: 7 } }, by)
  await directory.waitForSequence(await database.store.changes.latest())
  await directory.stop()
  await postgres.stop()
  directory = newDirectory()
  expect(await directory.start()).toBe('snapshot')
  expect(directory.match('old.test', '/')).toMatchObject({
    service: { name: '' },
    options: { rules: { redirect } },
  })
  expect(directory.match('guarded.test', '/')?.options.rules).toEqual({ access })
  expect(directory.match('newer.test', '/')?.options.rules?.unusable).toEqual([
    expect.stringContaining('access'),
  ])
  postgres = await startPostgres()
})

test('an outage does not affect traffic, a restart serves from the snapshot, and changes flow again', async () => {
  const unreachable = reachable(false)
  await postgres.stop()
  await unreachable
  expect(directory.match('before.test', '/')).toBeDefined()
  await expect(database.store.services.create({ name: 'x' }, by)).rejects.toMatchObject({
    code: 'database_unavailable',
  })

  await directory.stop()
  directory = newDirectory()
  expect(await directory.start()).toBe('snapshot')
  expect(directory.match('before.test', '/')).toBeDefined()

  const back = reachable(true)
  postgres = await startPostgres()
  await back
  expect(directory.source).toBe('database')
  await database.store.routes.create({ mount: 'after.test', service: 'shop' }, by)
  await directory.waitForSequence(await database.store.changes.latest())
  expect(directory.match('after.test', '/')).toBeDefined()
  expect(directory.match('before.test', '/')).toBeDefined()
})
