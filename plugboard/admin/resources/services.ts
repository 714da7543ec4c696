// Services over HTTP: a named pool of backends and the policy for its traffic.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { AdminKey, Service } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { newServiceSchema, serviceBody, serviceChangeSchema, serviceSchema } from '../bodies/service.ts'
import { etagOf, ifMatchVersion, notModified } from '../http/etag.ts'
import { changeMerged, mergePatch } from '../http/merge-patch.ts'
import {
  body,
  CREATED_HEADERS,
  ETAG_HEADER,
  ifMatchHeader,
  ifNoneMatchHeader,
  json,
  NOT_MODIFIED,
  operation,
} from '../http/operation.ts'
import { flagQuery, pageBody, pageQuery, pageResponse } from '../http/page.ts'

const params = z.object({
  id: storedText(1, 63, 'shop').openapi({ description: 'Name or id.', example: 'shop' }),
})
const tags = ['services']

const createOperation = operation(
  { permission: 'services:write', fails: ['conflict', 'payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/services',
    operationId: 'createService',
    tags,
    summary: 'Add a service',
    request: { body: body(newServiceSchema) },
    responses: { 201: { ...json(serviceSchema, 'The new service.'), headers: CREATED_HEADERS } },
  },
)
const listOperation = operation(
  { permission: 'services:read' },
  {
    method: 'get',
    path: '/v1/services',
    operationId: 'listServices',
    tags,
    summary: 'List services, by name',
    request: {
      query: z.strictObject({
        ...pageQuery,
        search: storedText(1, 63, 'shop').optional().openapi({ description: 'The name contains this.' }),
        includeDeleted: flagQuery('Deleted services too.'),
      }),
    },
    responses: { 200: pageResponse(serviceSchema, 'Service', 'A page of services.') },
  },
)
const readOperation = operation(
  { permission: 'services:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/services/{id}',
    operationId: 'getService',
    tags,
    summary: 'Read a service',
    request: {
      params,
      headers: ifNoneMatchHeader,
      query: z.strictObject({ includeDeleted: flagQuery('Also when it is deleted.') }),
    },
    responses: { 200: { ...json(serviceSchema, 'The service.'), headers: ETAG_HEADER }, ...NOT_MODIFIED },
  },
)
const changeOperation = operation(
  {
    permission: 'services:write',
    fails: [
      'not_found',
      'conflict',
      'precondition_failed',
      'precondition_required',
      'payload_too_large',
      'unsupported_media_type',
    ],
  },
  {
    method: 'patch',
    path: '/v1/services/{id}',
    operationId: 'changeService',
    tags,
    summary: 'Change a service',
    description:
      'A new name keeps the traffic: the old name becomes an alias in the policy, so telephones that announce it still ' +
      'serve the service. Give `policy.aliases` too to decide about the aliases yourself.',
    request: { params, headers: ifMatchHeader, body: body(serviceChangeSchema) },
    responses: { 200: { ...json(serviceSchema, 'The service as it is now.'), headers: ETAG_HEADER } },
  },
)
const removeOperation = operation(
  {
    permission: 'services:write',
    fails: ['not_found', 'conflict', 'precondition_failed', 'precondition_required'],
  },
  {
    method: 'delete',
    path: '/v1/services/{id}',
    operationId: 'deleteService',
    tags,
    summary: 'Delete a service',
    description: 'Its routes must be gone already.',
    request: { params, headers: ifMatchHeader },
    responses: { 204: { description: 'It is gone.' } },
  },
)

/** An alias takes over the lines of telephones that announce it, as a name does. */
function refuseAliasesBeyondLimits(
  key: AdminKey,
  policy: { readonly aliases?: readonly string[] | null | undefined } | undefined,
): void {
  refuseBeyondLimits(key, {
    services: policy?.aliases ?? [],
    pointer: (_list, index) => `/policy/aliases/${index}`,
  })
}

export function addServiceOperations(app: OpenAPIHono<AdminEnv>, { store }: AdminDependencies): void {
  const living = async (nameOrId: string): Promise<Service> => {
    const row = await store.services.get(nameOrId)
    if (row.deletedAt !== null) throw new VeraError('not_found', 'This service has been deleted.')
    return row
  }
  const refuseBeyond = async (key: AdminKey, nameOrId: string): Promise<void> => {
    if (key.limits !== null) refuseBeyondLimits(key, { services: [(await living(nameOrId)).name] })
  }
  app.openapi(createOperation, async c => {
    const { name, policy } = c.req.valid('json')
    refuseBeyondLimits(c.get('key'), { services: [name], pointer: () => '/name' })
    refuseAliasesBeyondLimits(c.get('key'), policy)
    const row = await store.services.create(c.req.valid('json'), c.get('by'))
    c.header('Location', `/v1/services/${row.id}`)
    c.header('ETag', etagOf(row))
    return c.json(serviceBody(row), 201)
  })
  app.openapi(listOperation, async c => {
    const page = await store.services.list(c.req.valid('query'))
    return c.json(pageBody(c, page, serviceBody), 200)
  })
  app.openapi(readOperation, async c => {
    const { id } = c.req.valid('param')
    const row = c.req.valid('query').includeDeleted ? await store.services.get(id) : await living(id)
    return notModified(c, row) ? c.body(null, 304) : c.json(serviceBody(row), 200)
  })
  app.openapi(changeOperation, async c => {
    const { id } = c.req.valid('param')
    const { policy: patch, ...fields } = c.req.valid('json')
    const ifVersion = await ifMatchVersion(c, () => living(id))
    await refuseBeyond(c.get('key'), id)
    if (fields.name !== undefined) {
      refuseBeyondLimits(c.get('key'), { services: [fields.name], pointer: () => '/name' })
    }
    refuseAliasesBeyondLimits(c.get('key'), patch)
    const by = c.get('by')
    const keepsOldName = patch?.aliases === undefined
    const row =
      patch === undefined
        ? await store.services.update(id, fields, { ...by, ifVersion })
        : await changeMerged(
            ifVersion,
            () => living(id),
            (before, version) => {
              const policy = mergePatch(before.policy, patch)
              return store.services.update(
                id,
                { ...fields, policy, keepsOldName },
                { ...by, ifVersion: version },
              )
            },
          )
    c.header('ETag', etagOf(row))
    return c.json(serviceBody(row), 200)
  })
  app.openapi(removeOperation, async c => {
    const { id } = c.req.valid('param')
    const ifVersion = await ifMatchVersion(c, () => living(id))
    await refuseBeyond(c.get('key'), id)
    await store.services.remove(id, { ...c.get('by'), ifVersion })
    return c.body(null, 204)
  })
}
