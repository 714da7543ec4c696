// Lists in pages: a request has `limit` and `cursor`, a response has `items` and `next`. A Link header (RFC 8288) also leads to
// the next page.

import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Page, Sort } from '../../database/store/store.ts'
import { storedText } from '../../database/store/values/stored-text.ts'
import type { AdminEnv } from '../admin-env.ts'
import { cursorText } from './formats.ts'
import { json, LINK_HEADER } from './openapi.ts'

/** Returns the schema of a parameter with a number from 1 to `max`. */
export const numberQuery = (max: number, description: string, unset?: number) =>
  z
    .string()
    .regex(new RegExp(`^\\d{1,${String(max).length}}$`), `is not a number from 1 to ${max}`)
    .transform(Number)
    .pipe(z.int().min(1, 'must be at least 1').max(max, `must be at most ${max}`))
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: unset, description })

export const pageQuery = {
  limit: numberQuery(500, 'Rows in a page.', 100),
  cursor: cursorText.optional().openapi({ description: 'The value of `next` in the page before.' }),
} as const

/** Returns the schema of a parameter with the values `true` and `false`. */
export const flagQuery = (description: string) =>
  z
    .enum(['true', 'false'])
    .transform(text => text === 'true')
    .optional()
    .openapi({ type: 'boolean', description })

/** Returns the parameter `sort`. `names`: the orders; `standard`: the order without the parameter. */
export const sortQuery = <Name extends string>(names: readonly Name[], standard: Sort<Name>) =>
  z
    .enum(names.flatMap(name => [name, `-${name}` as const]))
    .optional()
    .openapi({
      default: standard,
      description:
        'The order of the list. `-` before the name: the opposite direction. Another order needs a new cursor.',
    })

/** The parameter `q` of credentials. */
export const credentialSearch = storedText(1, 255)
  .optional()
  .openapi({ description: 'Only rows whose name contains this text.' })

const pageFields = <Item extends z.ZodType>(item: Item) => ({
  items: z.array(item),
  next: cursorText
    .nullable()
    .openapi({ description: 'Cursor of the next page. null: this is the last page.' }),
})
const pageOf = <Item extends z.ZodType>(item: Item, name: string) =>
  z.strictObject(pageFields(item)).openapi(`${name}Page`)
const countedPageOf = <Item extends z.ZodType>(item: Item, name: string) =>
  z
    .strictObject({
      ...pageFields(item),
      total: z.int().openapi({ description: 'The number of all rows that fit the filters, on all pages.' }),
    })
    .openapi(`${name}Page`)

/** Returns the response with a page of `item`, and its Link header. */
export const pageResponse = <Item extends z.ZodType>(item: Item, name: string, description: string) => ({
  ...json(pageOf(item, name), description),
  headers: LINK_HEADER,
})

/** Returns the response with a page of `item` and the number of all items, and its Link header. */
export const countedPageResponse = <Item extends z.ZodType>(
  item: Item,
  name: string,
  description: string,
) => ({
  ...json(countedPageOf(item, name), description),
  headers: LINK_HEADER,
})

/** Sets the Link header. `cursor`: that of the next page; null or undefined for the last page. */
export function linkToNext(c: Context<AdminEnv>, cursor: string | null | undefined): void {
  if (cursor === undefined || cursor === null) return
  const url = new URL(c.req.url)
  url.searchParams.set('cursor', cursor)
  c.header('Link', `<${url.pathname}${url.search}>; rel="next"`)
}

/** Returns the body of a page, and sets the Link header. */
export function pageBody<Row, Item>(c: Context<AdminEnv>, page: Page<Row>, show: (row: Row) => Item) {
  linkToNext(c, page.nextCursor)
  return { items: page.items.map(show), next: page.nextCursor ?? null }
}
