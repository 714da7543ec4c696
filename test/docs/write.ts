// `npm run docs`: writes the generated tables into their documents.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GENERATED_TABLES, ROOT, read, withTable } from './generated-tables.ts'

for (const table of GENERATED_TABLES) {
  writeFileSync(join(ROOT, table.document), withTable(read(table.document), table))
}
