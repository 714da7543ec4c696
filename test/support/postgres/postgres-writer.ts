// A process of its own for tests of durability: starts the embedded Postgres in the folder that argv names, then
// writes one row after another and prints each number once its commit was acknowledged. Ends when it is killed.

import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { StartupError } from '../../../plugboard/common/startup-error.ts'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'

const [, , folder = ''] = process.argv
const silent = () => undefined

try {
  const postgres = await EmbeddedPostgres.start({ folder, log: silentLogger })
  await write(postgres.url)
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  console.log(`refused: ${error.message}`)
  process.exitCode = 1
}

async function write(url: string): Promise<never> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', silent)
  await client.connect()
  await client.query('CREATE TABLE IF NOT EXISTS written (number serial PRIMARY KEY)')
  for (;;) {
    const { rows } = await client.query<{ number: number }>(
      'INSERT INTO written DEFAULT VALUES RETURNING number',
    )
    process.stdout.write(`${rows[0]!.number}\n`)
  }
}
