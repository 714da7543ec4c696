// Empties databases of tests, so that later tests can use them again. Emptying takes a few milliseconds; CREATE and DROP
// DATABASE take ten times as long. A database with a changed schema or many rows is dropped instead.

import pg from 'pg'

/** The contents of a database that was just migrated. */
export interface InitialContents {
  /** Differs when a table, column, trigger, function, constraint, right or setting of the database was changed. */
  readonly schema: string
  /** One SQL text that deletes all rows and inserts those of the migrations again. */
  readonly reset: string
}

/** Above this number, the space of deleted rows would slow down the next test. */
const MOST_ROWS = 1000

/** Each change of a catalog row gets the id of its transaction (xmin). A clone has the ids of its template. */
const SCHEMA = `SELECT concat_ws(' ',
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_class),
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_attribute),
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_trigger),
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_proc),
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_constraint),
  (SELECT count(*) || '/' || max(xmin::text::bigint) FROM pg_namespace),
  (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database())) AS schema`

export async function readInitialContents(url: string): Promise<InitialContents> {
  return await connected(url, async client => {
    const tables = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'plugboard'`,
    )
    const statements: string[] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ rows: string }>(
        `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${name} t`,
      )
      const values = client.escapeLiteral(rows[0]!.rows)
      statements.push(
        `DELETE FROM ${name}`,
        `INSERT INTO ${name} SELECT * FROM json_populate_recordset(null::${name}, ${values})`,
      )
    }
    return {
      schema: await readSchema(client),
      // Without triggers and foreign keys, so that the order of the tables does not matter.
      reset: `BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`,
    }
  })
}

/** Closes the connections to the database and empties it. Resolves with false when the caller must drop the database. */
export async function emptyDatabase(url: string, { schema, reset }: InitialContents): Promise<boolean> {
  return await connected(url, async client => {
    await client.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    )
    if ((await readSchema(client)) !== schema) return false
    try {
      // One result for each statement.
      const results = (await client.query(reset)) as unknown as pg.QueryResult[]
      return results.every(({ command, rowCount }) => command !== 'DELETE' || (rowCount ?? 0) <= MOST_ROWS)
    } catch (error) {
      // Insufficient privilege: on an external server, the role may not switch triggers off.
      if ((error as { code?: unknown }).code === '42501') return false
      throw error
    }
  })
}

async function readSchema(client: pg.Client): Promise<string> {
  return (await client.query<{ schema: string }>(SCHEMA)).rows[0]!.schema
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
