// The order of a list and its cursors. A cursor has the values of the last row of a page by which the rows are sorted, and the name
// of the order, so that a cursor of another order is rejected. The cursor of the default order has no name, as in older versions.

import { type AnyColumn, asc, desc, type SQL } from 'drizzle-orm'
import { z } from 'zod'
import { beyond, decodeCursor } from './page.ts'

type KeyValue = string | number | Date

export interface SortOrder<Row> {
  /** The last column is unique. All columns have one direction. */
  readonly columns: readonly AnyColumn[]
  /** The values of a cursor. */
  readonly key: z.ZodType<readonly KeyValue[]>
  readonly keyOf: (row: Row) => readonly (string | number)[]
}

export interface ListOrder<Row> {
  readonly orderBy: readonly SQL[]
  /** Returns the condition for the rows after a cursor. Throws `invalid_request` for a cursor of another order. */
  readonly after: (cursor: string) => SQL
  readonly cursorKey: (row: Row) => readonly (string | number)[]
}

/** `sort`: the name of an order, with `-` before it for the opposite direction. Absent: `standard`. */
export function listOrder<Row, Name extends string>(
  orders: Readonly<Record<Name, SortOrder<Row>>>,
  standard: Name | `-${Name}`,
  sort: Name | `-${Name}` = standard,
): ListOrder<Row> {
  const isDescending = sort.startsWith('-')
  const { columns, key, keyOf } = orders[(isDescending ? sort.slice(1) : sort) as Name]
  const isStandard = sort === standard
  const named = z.tuple([z.literal(sort), key])
  return {
    orderBy: columns.map(column => (isDescending ? desc(column) : asc(column))),
    after: cursor => {
      const values = isStandard ? decodeCursor(key, cursor) : decodeCursor(named, cursor)[1]
      return beyond(columns, isDescending ? '<' : '>', values)
    },
    cursorKey: row => (isStandard ? keyOf(row) : ([sort, keyOf(row)] as unknown as readonly string[])),
  }
}
