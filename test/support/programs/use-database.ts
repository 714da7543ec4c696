// The set-up that tests of whole programs share: a database and a folder for each test, and processes that end before both are removed.

import { afterEach, beforeEach } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../process/folder.ts'
import type { Processes } from '../process/processes.ts'
import { useProcesses } from '../process/use-processes.ts'

/** `created`: gets the database and the folder of each test before it runs. Returns the processes of the file. */
export function useDatabase(
  created: (place: { readonly db: TestDatabase; readonly folder: string }) => void,
): Processes {
  let place: { db: TestDatabase; folder: string } | undefined
  beforeEach(async () => {
    place = { folder: await temporaryFolder(), db: await createTestDatabase() }
    created(place)
  })
  afterEach(async () => {
    await place?.db.drop()
    if (place !== undefined) await removeFolder(place.folder)
    place = undefined
  })
  // The last hook runs first, so the processes end before their database.
  return useProcesses()
}
