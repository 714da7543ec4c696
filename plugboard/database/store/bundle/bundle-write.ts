// Writes the differences of a bundle in one transaction. The rows go to temporary tables first, without the lock of all writers.
// Under the lock, a fixed number of statements moves them, so the lock does not wait for the network or for Node.
//
//   create temporary tables ─▶ fill them in batches ─▶ lock ─▶ routes deleted ─▶ services created, changed ─▶ routes changed,
//   created ─▶ services deleted ─▶ names checked ─▶ commit

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { SqlRunner, Statement } from '../../sql-runner.ts'
import type { Mutation } from '../store.ts'
import type { BundleWrite, BundleWritten } from './bundle-rows.ts'

/** Rows in one statement that fills a temporary table. Their text takes a few milliseconds of the event loop. */
const BATCH_ROWS = 500

const COLUMNS = {
  services: 'action text, id uuid, version int, name text, policy jsonb',
  routes: 'action text, id uuid, version int, host text, mount_path text, service_id uuid, options jsonb',
} as const

export async function writeBundle(
  runner: SqlRunner,
  differences: BundleWrite,
  bundle: string,
  by: Mutation,
): Promise<BundleWritten> {
  const { services, routes } = differences
  const { result: sequence, lockedMs } = await runner.bulk(by, {
    stage: async run => {
      await stage(run, 'services', [
        ...services.created.map(row => ({ action: 'create', ...row })),
        ...services.changed.map(row => ({ action: 'change', ...row })),
        ...services.deleted.map(row => ({ action: 'delete', ...row })),
      ])
      await stage(run, 'routes', stagedRoutes(routes))
      // The checks of whole statements run instead of the checks of single rows (migrations/0013_bundle.sql).
      await run("SELECT set_config('plugboard.bundle', $1, true)", [bundle])
    },
    write: async run => {
      // Old routes are deleted before new ones are added, because an old mount may conflict with a new one.
      await deleteRows(run, 'routes', routes.deleted.length)
      if (services.created.length > 0) {
        await run(`INSERT INTO plugboard.services (id, name, policy)
          SELECT id, name, policy FROM pg_temp.bundle_services WHERE action = 'create' ORDER BY name`)
      }
      if (services.changed.length > 0) {
        const changed =
          await run(`UPDATE plugboard.services s SET policy = b.policy FROM pg_temp.bundle_services b
          WHERE b.action = 'change' AND s.id = b.id AND s.version = b.version AND s.deleted_at IS NULL`)
        refuseOvertaken(changed.rowCount, services.changed.length)
      }
      if (routes.changed.length > 0) {
        const changed =
          await run(`UPDATE plugboard.routes r SET service_id = b.service_id, options = b.options
          FROM pg_temp.bundle_routes b
          WHERE b.action = 'change' AND r.id = b.id AND r.version = b.version AND r.deleted_at IS NULL`)
        refuseOvertaken(changed.rowCount, routes.changed.length)
      }
      if (routes.created.length > 0) {
        // Sorted, so that neighbours in the indexes are written together.
        await run(`INSERT INTO plugboard.routes (id, host, mount_path, service_id, options)
          SELECT id, host, mount_path, service_id, options FROM pg_temp.bundle_routes
            WHERE action = 'create' ORDER BY host, mount_path`)
      }
      await deleteRows(run, 'services', services.deleted.length)
      if (services.created.length + services.changed.length > 0) await refuseSharedNames(run)
      const { rows } = await run<{ sequence: string }>('SELECT sequence FROM plugboard.change_head')
      return Number(rows[0]?.sequence ?? 0)
    },
  })
  return { sequence, lockedMs }
}

function* stagedRoutes({ created, changed, deleted }: BundleWrite['routes']): Generator<object> {
  for (const { mountPath, serviceId, ...row } of created) {
    yield { action: 'create', ...row, mount_path: mountPath, service_id: serviceId }
  }
  for (const { serviceId, ...row } of changed) yield { action: 'change', ...row, service_id: serviceId }
  for (const row of deleted) yield { action: 'delete', ...row }
}

async function stage(run: Statement, table: keyof typeof COLUMNS, rows: Iterable<object>): Promise<void> {
  // The index keeps the time of the joins linear when the statistics of the joined table are old.
  await run(`CREATE TEMPORARY TABLE bundle_${table} (${COLUMNS[table]}, PRIMARY KEY (id)) ON COMMIT DROP`)
  let batch: object[] = []
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    const text = JSON.stringify(batch)
    batch = []
    await run(
      `INSERT INTO pg_temp.bundle_${table} SELECT * FROM jsonb_to_recordset($1::jsonb) AS rows (${COLUMNS[table]})`,
      [text],
    )
  }
  for (const row of rows) {
    batch.push(row)
    if (batch.length === BATCH_ROWS) await flush()
  }
  await flush()
  // A new temporary table has no statistics, and the planner would choose a nested loop for each row.
  await run(`ANALYZE pg_temp.bundle_${table}`)
}

async function deleteRows(run: Statement, table: keyof typeof COLUMNS, count: number): Promise<void> {
  if (count === 0) return
  const deleted =
    await run(`UPDATE plugboard.${table} r SET deleted_at = clock_timestamp() FROM pg_temp.bundle_${table} b
    WHERE b.action = 'delete' AND r.id = b.id AND r.version = b.version AND r.deleted_at IS NULL`)
  refuseOvertaken(deleted.rowCount, count)
}

function refuseOvertaken(written: number | null, expected: number): void {
  if (written === expected) return
  throw new VeraError(
    'precondition_failed',
    'A concurrent change reached a service or a route of the bundle first. Send the bundle again.',
  )
}

/** Throws `conflict` when a name or an alias means two living services. No rule of the schema checks aliases. */
async function refuseSharedNames(run: Statement): Promise<void> {
  const { rows } = await run<{ name: string; one: string; other: string }>(`
    SELECT n.name, min(n.service) AS one, max(n.service) AS other FROM (
      SELECT s.name AS service, s.name FROM plugboard.services s WHERE s.deleted_at IS NULL
      UNION
      SELECT s.name, a.name FROM plugboard.services s
        CROSS JOIN LATERAL jsonb_array_elements_text(s.policy -> 'aliases') AS a (name)
        WHERE s.deleted_at IS NULL AND jsonb_typeof(s.policy -> 'aliases') = 'array'
    ) n GROUP BY n.name HAVING count(*) > 1 LIMIT 1`)
  const [shared] = rows
  if (shared === undefined) return
  throw new VeraError(
    'conflict',
    `The name "${shared.name}" means two services, "${shared.one}" and "${shared.other}". Remove it from the aliases of one of them.`,
  )
}
