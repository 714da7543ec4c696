// Lists in pages: `limit` and `cursor` in, `items` and `next` out, and a Link header (RFC 8288) for those who
// prefer to follow that.

import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Page } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'
import { cursorText } from './formats.ts'
import { json, LINK_HEADER } from './openapi.ts'

export const pageQuery = {
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'a number from 1 to 500')
    .transform(Number)
    .pipe(z.int().min(1, 'at least 1').max(500, 'at most 500'))
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: 500, default: 100, description: 'Rows in a page.' }),
  cursor: cursorText.optional().openapi({ description: '`next` of the page before.' }),
} as const

/** `true` or `false` in a query. */
export const flagQuery = (description: string) =>
  z
    .enum(['true', 'false'])
    .transform(text => text === 'true')
    .optional()
    .openapi({ type: 'boolean', description })

const pageOf = <Item extends z.ZodType>(item: Item, name: string) =>
  z
    .strictObject({
      items: z.array(item),
      next: cursorText.nullable().openapi({ description: 'Cursor of the next page; null on the last one.' }),
    })
    .openapi(`${name}Page`)

/** A page of `item`, with its Link header. */
export const pageResponse = <Item extends z.ZodType>(item: Item, name: string, description: string) => ({
  ...json(pageOf(item, name), description),
  headers: LINK_HEADER,
})

/** The page as its schema says, with the Link header set. */
export function pageBody<Row, Item>(c: Context<AdminEnv>, page: Page<Row>, show: (row: Row) => Item) {
  if (page.nextCursor !== undefined) {
    const url = new URL(c.req.url)
    url.searchParams.set('cursor', page.nextCursor)
    c.header('Link', `<${url.pathname}${url.search}>; rel="next"`)
  }
  return { items: page.items.map(show), next: page.nextCursor ?? null }
}
