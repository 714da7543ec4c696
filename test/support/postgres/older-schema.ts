// The schema of an older version: the migrations of this tree up to a given one.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ALL = fileURLToPath(new URL('../../../migrations', import.meta.url))

interface Journal {
  entries: { readonly tag: string }[]
}

/** Calls `work` with a folder of the migrations before `tag`, and returns its result. */
export async function withMigrationsBefore<Result>(
  tag: string,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'plugboard-migrations-'))
  try {
    await cp(ALL, folder, { recursive: true })
    const file = join(folder, 'meta/_journal.json')
    const journal = JSON.parse(await readFile(file, 'utf8')) as Journal
    const index = journal.entries.findIndex(entry => entry.tag === tag)
    if (index === -1) throw new Error(`there is no migration ${tag}`)
    journal.entries = journal.entries.slice(0, index)
    await writeFile(file, JSON.stringify(journal))
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}
