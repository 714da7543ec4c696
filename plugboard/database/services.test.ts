import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts'
import type { Store } from './store.ts'

let db: TestDatabase
let store: Store
const by = { actor: 'test' }

beforeAll(async () => {
  db = await createTestDatabase()
  store = db.open().store
})
afterAll(() => db.drop())

test('a service is created, found by name and id, changed and deleted', async () => {
  const created = await store.services.create({ name: 'shop', policy: { retries: 1 } }, by)
  expect(created).toMatchObject({ name: 'shop', policy: { retries: 1 }, version: 1, deletedAt: null })
  expect(await store.services.get('shop')).toEqual(created)
  expect(await store.services.get(created.id)).toEqual(created)
  const changed = await store.services.update('shop', { name: 'store' }, { ...by, ifVersion: 1 })
  expect(changed).toMatchObject({ name: 'store', version: 2, policy: { retries: 1 } })
  const removed = await store.services.remove('store', { ...by, ifVersion: 2 })
  expect(removed.deletedAt).toBeInstanceOf(Date)
  await expect(store.services.get('store')).rejects.toMatchObject({ code: 'not_found' })
  expect(await store.services.get(created.id)).toEqual(removed)
})
