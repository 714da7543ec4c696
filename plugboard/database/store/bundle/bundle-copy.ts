// Reads all services and routes of one moment, in batches, so that the event loop is not blocked.

import type pg from 'pg'
import type { SqlRunner, Statement } from '../../sql-runner.ts'
import {
  type ContinuationRow,
  continuationOf,
  continuationQuery,
  requireContinuation,
} from '../changes/log-gap.ts'
import type { BundleCopyRequest, CopiedRoute, CopiedService, TouchedRow } from './bundle-rows.ts'

const BATCH_ROWS = 500

export function copyRows(runner: SqlRunner, { sink, since }: BundleCopyRequest): Promise<number> {
  return runner.snapshot(async run => {
    const { rows } = await run<{ sequence: string }>('SELECT sequence FROM plugboard.change_head')
    const sequence = Number(rows[0]?.sequence ?? 0)
    if (since !== undefined) await readTouched(run, since, sequence)
    await readBatches<CopiedService>(
      run,
      'SELECT id, name, policy, version FROM plugboard.services WHERE deleted_at IS NULL',
      row => sink.service(row),
    )
    await readBatches<CopiedRoute>(
      run,
      `SELECT id, host, mount_path AS "mountPath", service_id AS "serviceId", options, claimed_by AS "claimedBy", version
         FROM plugboard.routes WHERE deleted_at IS NULL`,
      row => sink.route(row),
    )
    return sequence
  })
}

/** Reads the names before and after each change of a service or a route. */
async function readTouched(
  run: Statement,
  { sequence, touched }: NonNullable<BundleCopyRequest['since']>,
  latest: number,
): Promise<void> {
  const { rows } = await run<ContinuationRow>(continuationQuery(sequence))
  requireContinuation({ sequence }, continuationOf({ sequence }, rows[0]))
  if (sequence === latest) return
  await readBatches<{ entity: 'service' | 'route'; name: string; host: string; mountPath: string }>(
    run,
    `SELECT c.entity, v.row ->> 'name' AS name, v.row ->> 'host' AS host, v.row ->> 'mount_path' AS "mountPath"
       FROM plugboard.changes c CROSS JOIN LATERAL (VALUES (c.before), (c.after)) AS v (row)
       WHERE c.sequence > ${Number(sequence)} AND c.entity IN ('service', 'route') AND v.row IS NOT NULL`,
    ({ entity, name, host, mountPath }) => {
      const row: TouchedRow = entity === 'service' ? { entity, name } : { entity, host, mountPath }
      touched(row)
    },
  )
}

async function readBatches<Row extends pg.QueryResultRow>(
  run: Statement,
  query: string,
  take: (row: Row) => void,
): Promise<void> {
  await run(`DECLARE bundle_rows NO SCROLL CURSOR FOR ${query}`)
  for (;;) {
    const { rows } = await run<Row>(`FETCH ${BATCH_ROWS} FROM bundle_rows`)
    for (const row of rows) take(row)
    if (rows.length < BATCH_ROWS) break
  }
  await run('CLOSE bundle_rows')
}
