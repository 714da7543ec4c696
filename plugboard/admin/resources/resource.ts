// The common operations of all stored resources: create, list by pages, read with an ETag, change and delete with If-Match,
// restore, revoke. A resource is a table of its names, its schemas, its store, and the functions that differ. The routes of the
// application and their entries in the OpenAPI document are derived from this table.

import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { AdminKey, Mutation, Page, PageRequest } from '../../database/store/store.ts'
import type { AdminEnv } from '../admin-env.ts'
import { flagQuery, pageBody } from '../http/page.ts'
import { isDryRun, writerOf } from '../writes/dry-run.ts'
import { etagOf, ifMatchVersion, notModified } from '../writes/etag.ts'
import { idempotencyOf, replayed } from '../writes/idempotency.ts'
import { type ResourceNames, resourceOperations } from './resource-operations.ts'

/** A row with a version. `deletedAt`: present when deleted rows of the resource can be read. */
interface StoredRow {
  readonly id: string
  readonly version: number
  readonly deletedAt?: Date | null
}

/** A page, and the number of all rows that fit. */
export interface CountedPage<Row> extends Page<Row> {
  readonly total: number
}

/** Returns a list that counts all rows with the filters of its query. */
export function counted<Query, Row>(rows: {
  list(query: Query): Promise<Page<Row>>
  count(filters: Query): Promise<number>
}): (query: Query) => Promise<CountedPage<Row>> {
  return async query => {
    const [page, total] = await Promise.all([rows.list(query), rows.count(query)])
    return { ...page, total }
  }
}

/** The author of a request. */
export interface Caller {
  readonly key: AdminKey
  /** With `dryRun`, the store rolls back each write. */
  readonly by: Mutation
}

/** A row to change or to delete. */
export interface Target<Row> {
  /** The id in the path, or another unique name. */
  readonly id: string
  /** The version that If-Match requires; undefined: any version. */
  readonly ifVersion: number | undefined
  /** Reads the row. Rejects with `not_found` when it has been deleted. */
  readonly read: () => Promise<Row>
}

/** Texts and error codes of an operation in the OpenAPI document, in addition to those that are derived from the names. */
interface OperationTexts {
  readonly summary?: string
  readonly description?: string
  readonly fails?: readonly ErrorCode[]
}

export interface Resource<
  Row extends StoredRow,
  Body extends z.ZodType,
  Filters extends z.core.$ZodLooseShape,
  New extends z.ZodType,
  Created extends z.ZodType,
  Change extends z.ZodType,
  Revocation extends z.core.$ZodLooseShape,
> {
  readonly names: ResourceNames
  /** The parameter `id` of the path. */
  readonly id: z.ZodType<string>
  readonly body: Body
  readonly store: {
    get(id: string): Promise<Row>
    list(
      query: PageRequest & z.output<z.ZodObject<Filters>> & { readonly includeDeleted?: boolean | undefined },
    ): Promise<CountedPage<Row>>
  }
  /** Returns the bodies of rows, in their order. */
  readonly show: (rows: readonly Row[]) => z.output<Body>[] | Promise<z.output<Body>[]>
  /** `order`: the order of the list, for its summary. */
  readonly list: { readonly order: string; readonly filters: Filters }
  readonly create: OperationTexts & {
    readonly operationId?: string
    /** The description of the response. */
    readonly result?: string
    readonly input: New
    readonly body: Created
    /** Returns the response for a repetition with the same Idempotency-Key. Absent: the response has a secret. */
    readonly replay?: (row: Row) => z.output<Created>
    run(
      input: z.output<New>,
      caller: Caller,
    ): Promise<{ readonly row: Row; readonly body: z.output<Created> }>
  }
  readonly change?: OperationTexts & {
    readonly input: Change
    run(target: Target<Row>, input: z.output<Change>, caller: Caller): Promise<Row>
  }
  /** When present, deleted rows can be read with `includeDeleted`. */
  readonly remove?: OperationTexts & {
    run(target: Target<Row>, caller: Caller): Promise<unknown>
  }
  readonly restore?: OperationTexts & {
    /** `id`: also a name or mount of a deleted row. */
    run(id: string, caller: Caller): Promise<Row>
  }
  readonly revoke?: OperationTexts & {
    readonly query?: Revocation
    run(id: string, query: z.output<z.ZodObject<Revocation>>, caller: Caller): Promise<Row>
  }
}

export function addResource<
  Row extends StoredRow,
  Body extends z.ZodType,
  Filters extends z.core.$ZodLooseShape,
  New extends z.ZodType,
  Created extends z.ZodType,
  Change extends z.ZodType,
  Revocation extends z.core.$ZodLooseShape,
>(
  app: OpenAPIHono<AdminEnv>,
  resource: Resource<Row, Body, Filters, New, Created, Change, Revocation>,
): void {
  const { names, store, create, change, remove, restore, revoke } = resource
  const operations = resourceOperations(names, resource.id, resource.body)
  const keepsDeleted = remove !== undefined

  const show = async (row: Row): Promise<z.output<Body>> => {
    const [body] = await resource.show([row])
    if (body === undefined) throw new Error(`${names.one} ${row.id} has no body`)
    return body
  }
  /** Returns the response to a write. The version in a dry run does not exist, so it gets no ETag. */
  const written = async (c: Context<AdminEnv>, row: Row): Promise<Response> => {
    if (!isDryRun(c)) c.header('ETag', etagOf(row))
    return c.json(await show(row), 200)
  }
  const living = async (id: string): Promise<Row> => {
    const row = await store.get(id)
    if (row.deletedAt instanceof Date) throw new VeraError('not_found', `This ${names.one} has been deleted.`)
    return row
  }
  const targetOf = async (c: Context<AdminEnv>): Promise<Target<Row>> => {
    const id = idOf(c)
    const read = () => living(id)
    return { id, read, ifVersion: await ifMatchVersion(c, read) }
  }

  add(app, operations.create(create), async c => {
    if (isDryRun(c)) {
      const checked = await create.run(validOf<z.output<New>>(c, 'json'), callerOf(c))
      return c.json(await show(checked.row), 200)
    }
    const idempotency = await idempotencyOf<Row>(c, row => ({
      location: `${names.path}/${row.id}`,
      body: create.replay?.(row),
    }))
    const { key, by } = callerOf(c)
    return await replayed(c, etagOf, async () => {
      const caller = { key, by: { ...by, idempotency } }
      const { row, body } = await create.run(validOf<z.output<New>>(c, 'json'), caller)
      c.header('Location', `${names.path}/${row.id}`)
      c.header('ETag', etagOf(row))
      return c.json(body, 201)
    })
  })

  const listQuery = {
    ...resource.list.filters,
    ...(keepsDeleted && { includeDeleted: flagQuery(`true: include deleted ${names.many}.`) }),
  }
  add(app, operations.list(resource.list.order, listQuery), async c => {
    const { items, nextCursor, total } = await store.list(validOf(c, 'query'))
    const bodies = await resource.show(items)
    return c.json({ ...pageBody(c, { items: bodies, nextCursor }, body => body), total }, 200)
  })

  const readQuery = keepsDeleted
    ? { includeDeleted: flagQuery(`true: read the ${names.one} even if it is deleted.`) }
    : undefined
  add(app, operations.read(readQuery), async c => {
    const id = idOf(c)
    const { includeDeleted = false } = keepsDeleted ? validOf<{ includeDeleted?: boolean }>(c, 'query') : {}
    const row = includeDeleted ? await store.get(id) : await living(id)
    return notModified(c, row) ? c.body(null, 304) : c.json(await show(row), 200)
  })

  if (change !== undefined) {
    add(app, operations.change(change), async c => {
      const target = await targetOf(c)
      return await written(c, await change.run(target, validOf<z.output<Change>>(c, 'json'), callerOf(c)))
    })
  }

  if (remove !== undefined) {
    add(app, operations.remove(remove), async c => {
      await remove.run(await targetOf(c), callerOf(c))
      return c.body(null, 204)
    })
  }

  if (restore !== undefined) {
    add(app, operations.restore(restore), async c => {
      return await written(c, await restore.run(idOf(c), callerOf(c)))
    })
  }

  if (revoke !== undefined) {
    add(app, operations.revoke(revoke), async c => {
      return await written(c, await revoke.run(idOf(c), validOf(c, 'query'), callerOf(c)))
    })
  }
}

/** Adds an operation. The cast is needed because hono cannot infer the type of a handler from type parameters. */
function add(
  app: OpenAPIHono<AdminEnv>,
  operation: Parameters<OpenAPIHono<AdminEnv>['openapi']>[0],
  handle: (c: Context<AdminEnv>) => Promise<Response>,
): void {
  app.openapi(operation, handle as never)
}

/** Returns a part of the request that the schema of the operation has accepted. */
function validOf<Part>(c: Context<AdminEnv>, part: 'param' | 'query' | 'json'): Part {
  return c.req.valid(part as never) as Part
}

const idOf = (c: Context<AdminEnv>): string => validOf<{ readonly id: string }>(c, 'param').id

const callerOf = (c: Context<AdminEnv>): Caller => ({ key: c.get('key'), by: writerOf(c) })
