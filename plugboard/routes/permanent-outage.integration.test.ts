// Tests a database that refuses Plugboard until an operator changes the configuration: a wrong user, a missing database.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'
import { databaseUrl } from '../../test/support/postgres/postgres-setup.ts'
import { removeFolder, temporaryFolder } from '../../test/support/process/folder.ts'
import { StartupError } from '../common/startup-error.ts'
import { databasePlace } from '../database/connection/database-url.ts'
import { type Database, openDatabase } from '../database/database.ts'
import { createDirectory, type Directory, type DirectoryOptions } from './directory.ts'

interface Warning {
  readonly message: string
  readonly detail: string | undefined
}

let db: TestDatabase
let folder: string
let warnings: Warning[]
const directories: Directory[] = []
const databases: Database[] = []

beforeEach(async () => {
  db = await createTestDatabase()
  folder = await temporaryFolder()
  warnings = []
})
afterEach(async () => {
  await Promise.all(directories.splice(0).map(directory => directory.stop()))
  await Promise.all(databases.splice(0).map(database => database.close()))
  await db.drop()
  await removeFolder(folder)
})

const file = () => join(folder, 'snapshot.json')

function directoryOf(options: Pick<DirectoryOptions, 'database'> & Partial<DirectoryOptions>): Directory {
  const log: DirectoryOptions['log'] = {
    ...silentLogger,
    warn: (message, fields) => void warnings.push({ message, detail: fields?.detail }),
  }
  const directory = createDirectory({ snapshotFile: file(), log, ...options })
  directories.push(directory)
  return directory
}

function at(url: string): Pick<DirectoryOptions, 'database' | 'databasePlace'> {
  const database = openDatabase({ url })
  databases.push(database)
  return { database, databasePlace: databasePlace(url) }
}

const refused = (message: string, code: string) => () =>
  Promise.reject(
    new VeraError('database_unavailable', undefined, {
      cause: Object.assign(new Error(message), { code, severity: 'FATAL' }),
    }),
  )

async function writeSnapshot(): Promise<void> {
  const { services, routes } = db.open().store
  await services.create({ name: 'shop' }, { actor: 'test' })
  await routes.create({ mount: 'shop.test', service: 'shop' }, { actor: 'test' })
  const directory = directoryOf(at(db.url))
  await directory.start()
  await directory.stop()
}

test.each([
  ['a database that does not exist', () => databaseUrl(db.url, 'no_such_database'), /does not exist/],
  [
    'a user that the server does not accept',
    () => db.url.replace(/^(\w+:\/\/)[^/@]*@/, '$1no_such_user:wrong@'),
    /authentication failed|does not exist/,
  ],
])('a first start without a snapshot ends with the sentence of the server: %s', async (_, url, sentence) => {
  const starting = directoryOf(at(url())).start()
  await expect(starting).rejects.toBeInstanceOf(StartupError)
  await expect(starting).rejects.toThrow(sentence)
  await expect(starting).rejects.toThrow(/^The database .*no_such_|^The database .* reports: /)
  expect(warnings).toEqual([])
})

test('fails a start without a snapshot when the database refuses a later attempt', async () => {
  let failure = refused('the database system is starting up', '57P03')
  const clock = new ManualClock()
  const directory = directoryOf({ database: { openChangeFeed: () => failure() }, clock })
  const starting = directory.start()
  let error: unknown
  starting.catch((reason: unknown) => {
    error = reason
  })
  await expect.poll(() => warnings).toHaveLength(1)
  expect(warnings[0]?.message).toBe('the database is unavailable, the start waits for it')
  failure = refused('database "x" does not exist', '3D000')
  const ended = async () => {
    await clock.advanceAsync(1_000)
    return String(error)
  }
  await expect
    .poll(ended)
    .toMatch('StartupError: The database of Plugboard reports: database "x" does not exist.')
})

test('reports the reason of the database even when the snapshot cannot be read', async () => {
  await writeFile(file(), 'damaged')
  const starting = directoryOf({ database: { openChangeFeed: refused('no', '28P01') } }).start()
  await expect(starting).rejects.toThrow(/reports: no\. Correct the user and the password/)
  expect(warnings.map(({ message }) => message)).toEqual(['the snapshot of the routes cannot be used'])
})

test('serves from a snapshot, and repeats the warning every 30 s', async () => {
  await writeSnapshot()
  const clock = new ManualClock()
  let attempts = 0
  const openChangeFeed = () => {
    attempts += 1
    return refused('password authentication failed for user "u"', '28P01')()
  }
  const directory = directoryOf({ database: { openChangeFeed }, databasePlace: 'db.test/x', clock })
  expect(await directory.start()).toBe('snapshot')
  expect(directory.match('shop.test', '/')).toBeDefined()
  expect(warnings).toEqual([
    {
      message: 'the database is unavailable, routes are served from memory',
      detail:
        'The database db.test/x reports: password authentication failed for user "u". ' +
        'Correct the user and the password in the database URL.',
    },
  ])
  await clock.advanceAsync(180_000, 1_000)
  expect(attempts).toBeGreaterThan(50)
  expect(warnings.length).toBeGreaterThanOrEqual(6)
  expect(warnings.length).toBeLessThanOrEqual(7)
  expect(new Set(warnings.map(({ detail }) => detail)).size).toBe(1)
})

test('logs a new reason at once', async () => {
  await writeSnapshot()
  const clock = new ManualClock()
  let failure = refused('the database system is shutting down', '57P01')
  const directory = directoryOf({ database: { openChangeFeed: () => failure() }, clock })
  await directory.start()
  failure = refused('database "x" does not exist', '3D000')
  const seen = async () => {
    await clock.advanceAsync(1_000)
    return warnings.map(({ detail }) => detail)
  }
  await expect
    .poll(seen)
    .toEqual([expect.stringContaining('shutting down'), expect.stringContaining('Create the database')])
})
