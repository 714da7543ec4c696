// The directory on disk, so that a replica that starts while Postgres is down can serve. The file has one JSON value per line: a
// header with the position in the log, the rows, and a last line with their count and SHA-256. A file without a valid last line is
// rejected. It is written atomically (temporary file, sync, rename) and is readable only by its owner. Its most sensitive values
// are public keys, ids of revoked tokens and hashes of passwords.

import { createHash, randomUUID } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../../common/json.ts'
import type { LogPosition, SnapshotSink } from '../../database/changes/change-feed.ts'
import type { DirectoryState } from '../directory-state.ts'
import { storedRouteOptions } from '../options/route-options.ts'
import { routeIdSchema, serviceIdSchema, tokenIdSchema } from '../row-id-schemas.ts'

const FORMAT = 'plugboard-directory'
/** A replica does not read a version above its own. Version 1 has the names of options before migration 0011. */
const VERSION = 2
/** Rows that are written in one turn of the event loop. */
const BATCH_ROWS = 500

const json = z.custom<JsonObject>(isJsonObject)
const overrideSchema = z.object({
  id: z.string(),
  serviceId: serviceIdSchema,
  instance: z.string(),
  weight: z.number().nullable(),
  ejectedUntilMs: z.number().nullable(),
  reason: z.string().nullable(),
  setBy: z.string(),
  version: z.number(),
})
const headerSchema = z.object({
  format: z.literal(FORMAT),
  version: z.int().min(1).max(VERSION),
  sequence: z.int().min(0),
  changeId: z.string().nullable(),
  /** In the header, where an older version ignores them: it rejects a row of an unknown kind. Absent in its files. */
  overrides: z.array(overrideSchema).optional(),
})
const rowSchema = z.union([
  z.object({ service: z.object({ id: serviceIdSchema, name: z.string(), policy: json }) }),
  z.object({
    route: z.object({
      id: routeIdSchema,
      host: z.string(),
      mountPath: z.string(),
      serviceId: serviceIdSchema.nullable(),
      options: json,
      lifetimeMs: z.number().nullable().optional(),
      updatedAtMs: z.number().optional(),
    }),
  }),
  z.object({ key: z.object({ kid: z.string(), publicJwk: json }) }),
  z.object({ revocation: z.object({ id: tokenIdSchema, expiresAt: z.coerce.date() }) }),
])
type Row = z.input<typeof rowSchema>
const trailerSchema = z.object({ rows: z.int().min(0), sha256: z.string() })

/** Writes the state at the time of the call. Later edits are not included, although the write takes many turns. */
export async function writeSnapshot(file: string, state: DirectoryState): Promise<void> {
  const rows = rowsOf(state)
  const header = {
    format: FORMAT,
    version: VERSION,
    ...state.position,
    overrides: [...state.overrides],
  } satisfies z.input<typeof headerSchema>
  const unfinished = `${file}.${randomUUID()}`
  const hash = createHash('sha256')
  try {
    const handle = await open(unfinished, 'wx', 0o600)
    try {
      const append = async (text: string) => {
        hash.update(text)
        await handle.write(text)
      }
      await append(`${JSON.stringify(header)}\n`)
      for (let start = 0; start < rows.length; start += BATCH_ROWS) {
        const lines = rows.slice(start, start + BATCH_ROWS).map(row => `${JSON.stringify(row())}\n`)
        await append(lines.join(''))
      }
      const trailer = { rows: rows.length, sha256: hash.digest('hex') } satisfies z.input<
        typeof trailerSchema
      >
      await handle.write(`${JSON.stringify(trailer)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(unfinished, file)
    const folder = await open(dirname(file), 'r')
    await folder.sync().finally(() => folder.close())
  } finally {
    await rm(unfinished, { force: true })
  }
}

/** Returns the rows of the state. Routes are immutable. Services change in place, so their fields are copied now. */
function rowsOf(state: DirectoryState): (() => Row)[] {
  const rows: (() => Row)[] = []
  for (const { id, name, policy } of state.services.values()) {
    rows.push(() => ({ service: { id, name, policy: { ...policy } } }))
  }
  for (const route of state.routes.values()) {
    rows.push(() => {
      const { id, host, mountPath, service, options, lifetimeMs, updatedAtMs } = route
      const stored = { serviceId: service.id || null, options: storedRouteOptions(options) }
      return {
        route: { id, host, mountPath, ...stored, updatedAtMs, ...(lifetimeMs !== null && { lifetimeMs }) },
      }
    })
  }
  for (const { kid, publicJwk } of state.keys.values()) rows.push(() => ({ key: { kid, publicJwk } }))
  for (const [id, expiresAtMs] of state.revocations) {
    rows.push(() => ({ revocation: { id, expiresAt: new Date(expiresAtMs).toISOString() } }))
  }
  return rows
}

/**
 * Passes the rows to `sink` and returns their position in the log. Throws an Error with the problem of the file, or ENOENT
 * without a file. The sink may have received some rows before the error.
 */
export async function readSnapshot(file: string, sink: SnapshotSink): Promise<LogPosition> {
  const text = await readFile(file, 'utf8')
  const end = text.lastIndexOf('\n', text.length - 2) + 1
  const trailer = trailerSchema.safeParse(parseLine(text.slice(end)))
  if (!trailer.success || !text.endsWith('\n')) throw new Error('the file is truncated')
  const body = text.slice(0, end)
  if (createHash('sha256').update(body).digest('hex') !== trailer.data.sha256)
    throw new Error('the checksum of the file is wrong')
  const [first = '', ...lines] = body.trimEnd().split('\n')
  const header = headerSchema.safeParse(parseLine(first))
  if (!header.success) throw new Error('the file has another format or a newer version')
  for (const line of lines) {
    const row = rowSchema.parse(parseLine(line))
    if ('service' in row) sink.service(row.service)
    else if ('route' in row) sink.route(row.route)
    else if ('key' in row) sink.key(row.key)
    else sink.revocation(row.revocation)
  }
  const { sequence, changeId, overrides = [] } = header.data
  for (const override of overrides) sink.override(override)
  return { sequence, changeId }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // every schema rejects undefined
  }
}
