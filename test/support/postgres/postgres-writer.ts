// A separate process for tests of durability. It starts the embedded Postgres in the folder of argv, writes one row after
// another, and prints each number when its commit is acknowledged. It runs until it is killed.

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
