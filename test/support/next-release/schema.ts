// A possible schema of the next release: the schema of this tree with one more migration.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrateDatabase } from '../../../plugboard/database/migration/migrate.ts'
import { VERSION } from '../../../plugboard/version.ts'

interface Journal {
  readonly entries: { idx: number; version: string; when: number; tag: string; breakpoints: boolean }[]
}

/** Adds a table, a column with a default and a wider CHECK. This version may run on it. */
export const ADDITIVE = {
  name: '9998_additive',
  oldestVersion: VERSION,
  statements: [
    'CREATE TABLE plugboard.next_release (id integer PRIMARY KEY)',
    `ALTER TABLE plugboard.routes ADD COLUMN next_release text NOT NULL DEFAULT 'new'`,
    `ALTER TABLE plugboard.replicas DROP CONSTRAINT replicas_state_known,
       ADD CONSTRAINT replicas_state_known CHECK (state IN ('ready', 'leaving', 'resting'))`,
  ],
} as const

/** Removes a part of the schema that this version needs. */
export const INCOMPATIBLE = {
  name: '9999_incompatible',
  oldestVersion: '999.0.0',
  statements: ['ALTER TABLE plugboard.routes RENAME COLUMN mount_path TO path'],
} as const

export interface NextMigration {
  readonly name: string
  /** Undefined: the migration inserts no row of compatibility. */
  readonly oldestVersion?: string | undefined
  readonly statements: readonly string[]
}

/** Migrates the database with this tree's migrations and the given ones, in this order. */
export async function migrateToNextRelease(url: string, ...more: readonly NextMigration[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vera-next-release-'))
  try {
    await cp(join(import.meta.dirname, '../../../migrations'), folder, { recursive: true })
    const file = join(folder, 'meta/_journal.json')
    const journal = JSON.parse(await readFile(file, 'utf8')) as Journal
    for (const { name, oldestVersion, statements } of more) {
      const last = journal.entries.at(-1)!
      const when = last.when + 1
      journal.entries.push({ ...last, idx: last.idx + 1, when, tag: name })
      const mark = `INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (${when}, '${name}', '${oldestVersion}')`
      const all = oldestVersion === undefined ? statements : [...statements, mark]
      await writeFile(join(folder, `${name}.sql`), all.join(';\n--> statement-breakpoint\n'))
    }
    await writeFile(file, JSON.stringify(journal))
    await migrateDatabase({ url, folder })
  } finally {
    await rm(folder, { recursive: true })
  }
}
