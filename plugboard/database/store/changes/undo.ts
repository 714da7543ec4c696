// Undoes changes of routes, services and overrides of processes: writes each row as it was before, in one transaction, from the newest change back to
// the oldest. Each state on this way was valid once, so the rules of the schema accept it, unless another row has taken its
// place. The triggers record the undo as new changes, so it can be undone too.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import { and, desc, gte, inArray, lte, sql } from 'drizzle-orm'
import { asRouteId, asServiceId, type ServiceId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import { changeHead, changes, services } from '../../schema.ts'
import { lockWriters, type Sql, type SqlRunner } from '../../sql-runner.ts'
import { noteRestored } from '../routes/route-activity.ts'
import { announcedNames, refuseSharedNames } from '../service-aliases.ts'
import { findService } from '../services.ts'
import type { Mutation, Undone, UndoneRow, UndoRequest } from '../store.ts'
import { ChangedRowError } from './changed-row-error.ts'
import { namedAfter } from './named-changes.ts'
import { contentOf, differences, living, type UndoEntity, type UndoStep, undoStep } from './undo-step.ts'

/** Changes in one transaction, which holds the lock of all writers. */
const MAX_CHANGES = 1_000

type WriteStep = Extract<UndoStep, { kind: 'write' }>

export function undoChanges(runner: SqlRunner, request: UndoRequest, by: Mutation): Promise<Undone> {
  return runner.write(by, async tx => {
    await lockWriters(tx)
    const head = await headSequence(tx)
    const found = await changesToUndo(tx, request, head)
    const skipped: { readonly sequence: number; readonly reason: string }[] = []
    for (const change of found) {
      const step = undoStep(change)
      if (step.kind === 'final') skipped.push({ sequence: change.sequence, reason: step.reason })
      else await writeStep(tx, change.sequence, step, request)
    }
    if (skipped.length === found.length) {
      const [first] = skipped
      throw new VeraError('conflict', `Change ${first?.sequence} cannot be undone. ${first?.reason}`)
    }
    return { changes: await namedAfter(tx, head, MAX_CHANGES), skipped: skipped.reverse() }
  })
}

async function headSequence(tx: Sql): Promise<number> {
  const [head] = await tx.select({ sequence: changeHead.sequence }).from(changeHead)
  return head?.sequence ?? 0
}

/** Resolves with the changes of the request, the newest first. */
async function changesToUndo(tx: Sql, { sequence, through }: UndoRequest, head: number) {
  const last = through === 'latest' ? Math.max(head, sequence) : (through ?? sequence)
  if (last < sequence) {
    const detail = `The range ends before it begins: ${last} comes before ${sequence}. Send the newest change as \`through\`.`
    throw new VeraError('invalid_request', detail, { field: 'through' })
  }
  if (last - sequence >= MAX_CHANGES) {
    const detail = `The range has ${last - sequence + 1} changes. Undo at most ${MAX_CHANGES} at once, the newest first.`
    throw new VeraError('invalid_request', detail, { field: 'through' })
  }
  const found = await tx
    .select()
    .from(changes)
    .where(and(gte(changes.sequence, sequence), lte(changes.sequence, last)))
    .orderBy(desc(changes.sequence))
  if (found.length === last - sequence + 1) return found
  const absent = found.at(-1)?.sequence === sequence ? last : sequence
  const reason =
    absent > head
      ? `The newest change is ${head}.`
      : 'The log keeps the newest changes only (changesKept), and this one is older.'
  const detail = `There is no change ${absent}. ${reason}`
  throw new VeraError('not_found', detail)
}

async function writeStep(tx: Sql, sequence: number, step: WriteStep, { permit }: UndoRequest): Promise<void> {
  const { entity, id, expected, target, known } = step
  const current = await rowOf(tx, entity, id)
  const names = entity === 'service' ? new Map() : await serviceNames(tx, [current, expected, target])
  permit(concerned(entity, [current, target], names))
  const changed = differences(entity, expected, current, names)
  if (changed.length > 0) throw new ChangedRowError(sequence, textOf(entity, known), changed)
  const table = TABLES[entity]
  if (target === null) {
    await tx.execute(
      sql`UPDATE ${table} SET deleted_at = clock_timestamp() WHERE id = ${id} AND deleted_at IS NULL`,
    )
    return
  }
  if (current === null) await insertRow(tx, entity, { ...known, ...target })
  else await updateRow(tx, entity, id, { ...contentOf(entity, current), ...contentOf(entity, target) })
  if (entity === 'service') {
    const service = await findService(tx, id)
    if (service !== undefined) await refuseSharedNames(tx, service)
  } else if (entity === 'route' && living(current) === null) await noteRestored(tx, asRouteId(id))
}

const TABLES = {
  route: sql`plugboard.routes`,
  service: sql`plugboard.services`,
  process_override: sql`plugboard.process_overrides`,
} as const
const COLUMN_LISTS = {
  route: sql`host, mount_path, service_id, options, claimed_by, lifetime_ms`,
  service: sql`name, policy, ephemeral`,
  process_override: sql`service_id, instance, telephone, weight, ejected_until, reason, set_by`,
} as const

async function rowOf(tx: Sql, entity: UndoEntity, id: string): Promise<JsonObject | null> {
  const { rows } = await tx.execute<{ row: JsonObject }>(
    sql`SELECT to_jsonb(r) AS row FROM ${TABLES[entity]} r WHERE id = ${id}`,
  )
  return rows[0]?.row ?? null
}

async function updateRow(tx: Sql, entity: UndoEntity, id: string, content: JsonObject): Promise<void> {
  const table = TABLES[entity]
  const columns = COLUMN_LISTS[entity]
  await tx.execute(sql`
    UPDATE ${table} SET deleted_at = NULL, (${columns}) = (
      SELECT ${columns} FROM jsonb_populate_record(NULL::${table}, ${JSON.stringify(content)}::jsonb))
    WHERE id = ${id}`)
}

/** Creates a row that no longer exists, with its id. Its version continues, so that an old ETag never fits it. */
async function insertRow(tx: Sql, entity: UndoEntity, row: JsonObject): Promise<void> {
  const table = TABLES[entity]
  const columns = COLUMN_LISTS[entity]
  const version = typeof row.version === 'number' ? row.version + 1 : 1
  const values = { ...(entity === 'service' ? { ephemeral: false } : {}), ...row, version }
  await tx.execute(sql`
    INSERT INTO ${table} (id, version, created_at, ${columns})
    SELECT id, version, created_at, ${columns}
    FROM jsonb_populate_record(NULL::${table}, ${JSON.stringify(values)}::jsonb)`)
}

async function serviceNames(tx: Sql, rows: readonly (JsonObject | null)[]): Promise<Map<string, string>> {
  const ids = rows.flatMap(row => (typeof row?.service_id === 'string' ? [asServiceId(row.service_id)] : []))
  if (ids.length === 0) return new Map<ServiceId, string>()
  const found = await tx
    .select({ id: services.id, name: services.name })
    .from(services)
    .where(inArray(services.id, ids))
  return new Map(found.map(({ id, name }) => [id, name]))
}

/** Returns the mounts and services that the rows concern. */
function concerned(
  entity: UndoEntity,
  rows: readonly (JsonObject | null)[],
  names: ReadonlyMap<string, string>,
): UndoneRow {
  const present = rows.filter(row => row !== null)
  if (entity !== 'service') {
    const ids = present.flatMap(({ service_id: id }) => (typeof id === 'string' ? [id] : []))
    return {
      entity,
      mounts: present.flatMap(row => mountOf(row) ?? []),
      services: [...new Set(ids.map(id => names.get(id) ?? id))],
    }
  }
  const all = present.flatMap(({ name, policy }) =>
    announcedNames({ name: String(name), policy: (policy ?? {}) as JsonObject }),
  )
  return { entity, mounts: [], services: [...new Set(all)] }
}

function mountOf({ host, mount_path: path }: JsonObject): string | undefined {
  return typeof host === 'string' && typeof path === 'string' ? formatMount({ host, path }) : undefined
}

function textOf(entity: UndoEntity, row: JsonObject): string {
  if (entity === 'process_override') return `override of the process ${row.telephone}`
  return `${entity} ${entity === 'route' ? mountOf(row) : row.name}`
}
