// The set-up that test files of the admin API share: one database for the file, and a new admin API for each test. Call it at
// the top level of a file.

import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { Store } from '../../../plugboard/database/store/store.ts'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { AdminApiHarness } from './admin-api.ts'

/** `created`: gets the admin API of each test before it runs. Returns a function that gives the database of the file. */
export function useAdminApi(created: (api: AdminApiHarness) => void): () => TestDatabase {
  let database: TestDatabase
  // One pool for the file: each pool keeps its connections for a while, and the server has only a hundred.
  let store: Store
  beforeAll(async () => {
    database = await createTestDatabase()
    store = database.open().store
  })
  beforeEach(async () => created(await AdminApiHarness.create(store)))
  afterAll(() => database.drop())
  return () => database
}
