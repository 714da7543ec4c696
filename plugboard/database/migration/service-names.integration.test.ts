// Migration 0020 permits underscores in names of services, and reserves three names. The tests use rows of older versions.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { withMigrationsBefore } from '../../../test/support/postgres/older-schema.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import { administer } from '../../../test/support/postgres/postgres-setup.ts'
import { migrateDatabase } from './migrate.ts'

let db: TestDatabase
beforeEach(async () => {
  db = await createTestDatabase({ empty: true })
  await withMigrationsBefore('0020_service_names', folder => migrateDatabase({ url: db.url, folder }))
})
afterEach(() => db.drop())

const migrate = () => migrateDatabase({ url: db.url })
const add = (name: string, policy = {}) =>
  administer(db.url, 'INSERT INTO plugboard.services (name, policy) VALUES ($1, $2)', [name, policy])

test('a name may contain underscores, but not at its ends', async () => {
  await expect(add('user_service')).rejects.toThrow('services_name_form')
  await migrate()
  await add('user_service')
  for (const name of ['_user', 'user_']) await expect(add(name)).rejects.toThrow('services_name_form')
})

test('a reserved name is refused, also for a service that is restored', async () => {
  await add('plugboard.events')
  await administer(db.url, 'UPDATE plugboard.services SET deleted_at = now()')
  await migrate()
  const restored = administer(db.url, 'UPDATE plugboard.services SET deleted_at = NULL')
  await expect(restored).rejects.toThrow('services_name_not_reserved')
  await expect(add('plugboard.functions')).rejects.toThrow('services_name_not_reserved')
})

test.each([
  ['plugboard.placement', {}],
  ['mine', { aliases: ['plugboard.placement'] }],
])('refuses to run while the service %s exists with the policy %o', async (name, policy) => {
  await add('shop')
  await add(name, policy)
  await expect(migrate()).rejects.toThrow(new RegExp(`reserved for Plugboard now .*: ${name} \\(`))
  await administer(db.url, `DELETE FROM plugboard.services WHERE name = '${name}'`)
  await migrate()
})
