// A Plugboard that is killed in the middle of a bundle leaves no row of it, and the bundle can be sent again.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { createTestDatabase } from '../support/postgres/postgres.ts'
import { useProcesses } from '../support/process/use-processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'

const processes = useProcesses()

const ROUTES = 2000

it('a Plugboard that is killed under way leaves no row of a bundle', async () => {
  const database = await createTestDatabase()
  onTestFinished(() => database.drop())
  const folder = await mkdtemp(join(tmpdir(), 'bundle-kill-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const options = { processes, folder, databaseUrl: database.url }
  const plugboard = await PlugboardProcess.start(options)
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  onTestFinished(() => client.end())
  const bundle = {
    version: 1,
    services: [{ name: 'shop' }],
    routes: Array.from({ length: ROUTES }, (_, index) => ({ mount: `host-${index}.test`, service: 'shop' })),
  }
  const count = async (): Promise<number> => {
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM plugboard.routes')
    return Number(rows[0]?.count)
  }

  // The bundle waits for this lock, when all of its rows are in its transaction.
  await client.query('BEGIN; SELECT 1 FROM plugboard.change_head FOR UPDATE')
  const lost = plugboard.api('PUT', '/v1/bundle', bundle).catch(() => undefined)
  const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
  while ((await client.query(waiting)).rows.length === 0);
  plugboard.child.expectedToExit = true
  plugboard.child.signal('SIGKILL')
  await plugboard.child.exited
  await lost
  await client.query('ROLLBACK')

  const again = await PlugboardProcess.start(options)
  expect(await count()).toBe(0)
  const response = await again.api('PUT', '/v1/bundle', bundle)
  expect([response.status, JSON.parse(response.text).routes]).toEqual([
    200,
    { created: ROUTES, changed: 0, deleted: 0, unchanged: 0 },
  ])
  expect(await count()).toBe(ROUTES)
})
