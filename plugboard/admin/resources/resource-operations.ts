// The entries of a stored resource in the OpenAPI document: paths, permissions, problems, headers and texts of its
// operations. resource.ts handles their requests.

import { z } from '@hono/zod-openapi'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import {
  body,
  CREATED_HEADERS,
  ETAG_HEADER,
  ifMatchHeader,
  ifNoneMatchHeader,
  json,
  NOT_MODIFIED,
  operation,
  WRITTEN_ETAG_HEADER,
} from '../http/openapi.ts'
import { countedPageResponse, pageQuery } from '../http/page.ts'
import { dryRunParameter, writeQuery } from '../writes/dry-run.ts'
import { IDEMPOTENCY_FAILS, idempotencyHeader, REPLAYED_HEADER } from '../writes/idempotency.ts'

export interface ResourceNames {
  readonly path: `/v1/${string}`
  /** The tag of the operations, and the area of their scopes. */
  readonly tag: 'routes' | 'services' | 'tokens' | 'keys'
  /** The name of the schema in the document. */
  readonly component: string
  /** Singular and plural in the names of operations: `getRoute`, `listRoutes`. */
  readonly operationId: readonly [one: string, many: string]
  readonly one: string
  readonly many: string
  /** The singular with its article, and the plural, for summaries. Default: `a` with `one`, and `many`. */
  readonly title?: readonly [one: string, many: string]
}

interface Texts {
  readonly summary?: string
  readonly description?: string
  /** Error codes in addition to the codes that the operation has on every resource. */
  readonly fails?: readonly ErrorCode[]
}

/** Error codes of every operation with a body. */
const BODY_FAILS = ['payload_too_large', 'unsupported_media_type'] as const
/** Error codes of every operation with If-Match. */
const PRECONDITION_FAILS = ['precondition_failed', 'precondition_required'] as const

/** Returns the operations of a resource, each as a function of its own texts. */
export function resourceOperations<Body extends z.ZodType>(
  names: ResourceNames,
  id: z.ZodType<string>,
  schema: Body,
) {
  const { path, tag, one, many } = names
  const [operationId, operationIds] = names.operationId
  const [title, titles] = names.title ?? [`a ${one}`, many]
  const tags = [tag]
  const params = z.object({ id })
  const read = `${tag}:read` as const
  const write = `${tag}:write` as const
  const onePath = `${path}/{id}` as const

  return {
    create: (create: Texts & { operationId?: string; result?: string; input: z.ZodType; body: z.ZodType }) =>
      operation(
        { permission: write, fails: [...(create.fails ?? []), ...IDEMPOTENCY_FAILS, ...BODY_FAILS] },
        {
          method: 'post',
          path,
          operationId: create.operationId ?? `create${operationId}`,
          tags,
          summary: create.summary ?? `Add ${title}`,
          ...described(create),
          request: { query: writeQuery, headers: idempotencyHeader, body: body(create.input) },
          responses: {
            200: json(schema, `With dryRun=true: the ${one} as it would be.`),
            201: {
              ...json(create.body, create.result ?? `The new ${one}.`),
              headers: { ...CREATED_HEADERS, ...REPLAYED_HEADER },
            },
          },
        },
      ),

    list: (order: string, filters: z.core.$ZodLooseShape) =>
      operation(
        { permission: read },
        {
          method: 'get',
          path,
          operationId: `list${operationIds}`,
          tags,
          summary: `List ${titles}, ${order}`,
          request: { query: z.strictObject({ ...pageQuery, ...filters }) },
          responses: { 200: countedPageResponse(schema, names.component, `A page of ${many}.`) },
        },
      ),

    /** `query`: undefined when there are no parameters. */
    read: (query: z.core.$ZodLooseShape | undefined) =>
      operation(
        { permission: read, fails: ['not_found'] },
        {
          method: 'get',
          path: onePath,
          operationId: `get${operationId}`,
          tags,
          summary: `Read ${title}`,
          request: {
            params,
            headers: ifNoneMatchHeader,
            ...queryOf(query),
          },
          responses: { 200: { ...json(schema, `The ${one}.`), headers: ETAG_HEADER }, ...NOT_MODIFIED },
        },
      ),

    change: (change: Texts & { input: z.ZodType }) =>
      operation(
        {
          permission: write,
          fails: ['not_found', ...(change.fails ?? []), ...PRECONDITION_FAILS, ...BODY_FAILS],
        },
        {
          method: 'patch',
          path: onePath,
          operationId: `change${operationId}`,
          tags,
          summary: change.summary ?? `Change ${title}`,
          ...described(change),
          request: { params, query: writeQuery, headers: ifMatchHeader, body: body(change.input) },
          responses: {
            200: { ...json(schema, `The ${one} after the change.`), headers: WRITTEN_ETAG_HEADER },
          },
        },
      ),

    remove: (remove: Texts) =>
      operation(
        { permission: write, fails: ['not_found', ...(remove.fails ?? []), ...PRECONDITION_FAILS] },
        {
          method: 'delete',
          path: onePath,
          operationId: `delete${operationId}`,
          tags,
          summary: remove.summary ?? `Delete ${title}`,
          ...described(remove),
          request: { params, query: writeQuery, headers: ifMatchHeader },
          responses: { 204: { description: `The ${one} is deleted.` } },
        },
      ),

    restore: (restore: Texts) =>
      operation(
        { permission: write, fails: ['not_found', 'conflict', ...(restore.fails ?? [])] },
        {
          method: 'post',
          path: `${onePath}/restore`,
          operationId: `restore${operationId}`,
          tags,
          summary: restore.summary ?? `Restore a deleted ${one}`,
          ...described(restore),
          request: { params, query: writeQuery },
          responses: { 200: { ...json(schema, `The restored ${one}.`), headers: WRITTEN_ETAG_HEADER } },
        },
      ),

    revoke: (revoke: Texts & { query?: z.core.$ZodLooseShape }) =>
      operation(
        { permission: write, fails: ['not_found', ...(revoke.fails ?? [])] },
        {
          method: 'post',
          path: `${onePath}/revoke`,
          operationId: `revoke${operationId}`,
          tags,
          summary: revoke.summary ?? `Revoke ${title}`,
          ...described(revoke),
          request: { params, ...queryOf({ ...dryRunParameter, ...revoke.query }) },
          responses: { 200: { ...json(schema, `The revoked ${one}.`), headers: WRITTEN_ETAG_HEADER } },
        },
      ),
  }
}

const queryOf = (parameters: z.core.$ZodLooseShape | undefined) =>
  parameters === undefined ? {} : { query: z.strictObject(parameters) }

const described = ({ description }: Texts) => (description === undefined ? {} : { description })
