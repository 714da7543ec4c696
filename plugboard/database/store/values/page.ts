// Pages by key: a cursor is the sort key of the last row of a page, so rows that are inserted or deleted meanwhile do not shift
// the next page. Clients treat the cursor as opaque, and it is checked when it is used.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { type AnyColumn, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Page, PageRequest } from '../store.ts'

const DEFAULT_PAGE_LIMIT = 100
const MAX_PAGE_LIMIT = 500

export function limitOf(request: PageRequest): number {
  const limit = request.limit ?? DEFAULT_PAGE_LIMIT
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE_LIMIT) return limit
  throw new VeraError('invalid_request', `A page has 1 to ${MAX_PAGE_LIMIT} rows.`, { field: 'limit' })
}

/** Returns the cursor of a row. `key`: the values by which the rows are sorted; the last one is unique. */
export function encodeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

export function decodeCursor<Key extends z.ZodType>(schema: Key, cursor: string): z.output<Key> {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
  } catch (error) {
    throw new VeraError(
      'invalid_request',
      'The cursor does not belong to this list and this order. Send `next` of the page before, or no cursor.',
      {
        field: 'cursor',
        cause: error,
      },
    )
  }
}

/** `(a, b) > (x, y)`, or `<`. */
export function beyond(
  columns: readonly AnyColumn[],
  direction: '>' | '<',
  values: readonly (string | number | Date)[],
): SQL {
  const left = sql.join([...columns], sql`, `)
  // The encoders of the columns turn a Date into a value that the driver compares as a timestamp.
  const right = sql.join(
    values.map((value, index) => sql.param(value, columns[index])),
    sql`, `,
  )
  return sql`(${left}) ${sql.raw(direction)} (${right})`
}

/** Returns a page of the rows. `rows`: one row more than the limit when there is a next page. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly (string | number)[],
): Page<Row> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return {
    items,
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : undefined,
  }
}

const uuid = z.guid()
export const nameKey = z.tuple([z.string(), uuid])
export const mountKey = z.tuple([z.string(), z.string(), uuid])
export const createdKey = z.tuple([z.iso.datetime().transform(text => new Date(text)), uuid])
export const sequenceKey = z.tuple([z.int().min(0)])
