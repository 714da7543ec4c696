// The set-up that test files of the admin API share: one database for the file, and a new admin API for each test. Call it at
// the top level of a file.

import { afterAll, beforeAll, beforeEach } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { AdminApiHarness } from './admin-api.ts'

/** `created`: gets the admin API of each test before it runs. Returns a function that gives the database of the file. */
export function useAdminApi(created: (api: AdminApiHarness) => void): () => TestDatabase {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  beforeEach(async () => created(await AdminApiHarness.create(database.open().store)))
  afterAll(() => database.drop())
  return () => database
}
