// Routes over HTTP: host and path → service.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { parseMount } from '@vera-stack/shared/mounts.ts'
import type { AdminKey, Route } from '../../database/store/store.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { isId } from '../../database/store/valid.ts'
import type { OutboundNetworks } from '../../routes/outbound-networks.ts'
import { resolveRouteOptions, withRequirements } from '../../routes/route-options.ts'
import { type RouteProblem, routeProblems } from '../../routes/route-problems.ts'
import { withoutPasswords } from '../../routes/route-secrets.ts'
import type { AccessInput } from '../../routes/rules/access-rules.ts'
import { isWithinLimits, refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import {
  newRouteSchema,
  prunedRoutesSchema,
  routeBody,
  routeChangeSchema,
  routePruningSchema,
  routeSchema,
  serviceRef,
} from '../bodies/route.ts'
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
import { validationError } from '../http/problem.ts'

const params = z.object({
  id: storedText(1, 1300)
    .superRefine((text, context) => {
      const parsed = parseMount(text)
      if (!isId(text) && !parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem })
    })
    .openapi({
      description: 'Id, or the mount, whose `/` are sent as `%2F`.',
      example: 'app.example.com/api',
    }),
})
const tags = ['routes']

/** What only shows in the whole of a route. */
function refuseProblems(route: Parameters<typeof routeProblems>[0]): void {
  refuse(routeProblems(route))
}

/** Finds a URL whose text shows that Plugboard would not connect to its address. */
function refuseInnerAddress(outbound: OutboundNetworks, access: AccessInput | null | undefined): void {
  const url = access?.jwt?.jwksUrl
  const message = url === undefined ? undefined : outbound.problemOfHost(new URL(url).hostname)
  if (message !== undefined) refuse([{ path: ['options', 'access', 'jwt', 'jwksUrl'], message }])
}

function refuse(problems: readonly RouteProblem[]): void {
  if (problems.length > 0) {
    throw validationError(
      'json',
      problems.map(problem => ({ ...problem, code: 'custom' })),
    )
  }
}

const createOperation = operation(
  {
    permission: 'routes:write',
    fails: ['mount_conflict', 'conflict', 'payload_too_large', 'unsupported_media_type'],
  },
  {
    method: 'post',
    path: '/v1/routes',
    operationId: 'createRoute',
    tags,
    summary: 'Add a route',
    request: { body: body(newRouteSchema) },
    responses: { 201: { ...json(routeSchema, 'The new route.'), headers: CREATED_HEADERS } },
  },
)
const listOperation = operation(
  { permission: 'routes:read' },
  {
    method: 'get',
    path: '/v1/routes',
    operationId: 'listRoutes',
    tags,
    summary: 'List routes, by host and path',
    request: {
      query: z.strictObject({
        ...pageQuery,
        host: storedText(0, 255, 'app.example.com')
          .optional()
          .openapi({ description: 'Exactly this host pattern.' }),
        service: serviceRef.optional(),
        includeDeleted: flagQuery('Deleted routes too.'),
      }),
    },
    responses: { 200: pageResponse(routeSchema, 'Route', 'A page of routes.') },
  },
)
const readOperation = operation(
  { permission: 'routes:read', fails: ['not_found'] },
  {
    method: 'get',
    path: '/v1/routes/{id}',
    operationId: 'getRoute',
    tags,
    summary: 'Read a route',
    request: {
      params,
      headers: ifNoneMatchHeader,
      query: z.strictObject({ includeDeleted: flagQuery('Also when it is deleted.') }),
    },
    responses: { 200: { ...json(routeSchema, 'The route.'), headers: ETAG_HEADER }, ...NOT_MODIFIED },
  },
)
const changeOperation = operation(
  {
    permission: 'routes:write',
    fails: [
      'not_found',
      'mount_conflict',
      'conflict',
      'precondition_failed',
      'precondition_required',
      'payload_too_large',
      'unsupported_media_type',
    ],
  },
  {
    method: 'patch',
    path: '/v1/routes/{id}',
    operationId: 'changeRoute',
    tags,
    summary: 'Change a route',
    request: { params, headers: ifMatchHeader, body: body(routeChangeSchema) },
    responses: { 200: { ...json(routeSchema, 'The route as it is now.'), headers: ETAG_HEADER } },
  },
)
const removeOperation = operation(
  { permission: 'routes:write', fails: ['not_found', 'precondition_failed', 'precondition_required'] },
  {
    method: 'delete',
    path: '/v1/routes/{id}',
    operationId: 'deleteRoute',
    tags,
    summary: 'Delete a route',
    description: 'Open requests and WebSockets on it go on.',
    request: { params, headers: ifMatchHeader },
    responses: { 204: { description: 'It is gone.' } },
  },
)

const pruneOperation = operation(
  { permission: 'routes:write', fails: ['payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/routes/prune',
    operationId: 'pruneRoutes',
    tags,
    summary: 'Delete routes without requests',
    description:
      'Deletes routes that had no request for the given time. Only time counts during which at least one replica recorded ' +
      'requests. A key with limits deletes routes within its limits. Routes with a lifetime stay, because they end by ' +
      'themselves.',
    request: {
      body: body(routePruningSchema),
    },
    responses: {
      200: json(prunedRoutesSchema, 'The routes.'),
    },
  },
)

export function addRouteOperations(app: OpenAPIHono<AdminEnv>, { store, outbound }: AdminDependencies): void {
  const living = async (idOrMount: string): Promise<Route> => {
    const row = await store.routes.get(idOrMount)
    if (row.deletedAt !== null) throw new VeraError('not_found', 'This route has been deleted.')
    return row
  }
  /** `service`: a name or an id, as the request has it. */
  const refuseBeyond = async (key: AdminKey, mount: string, service: string | null, inBody = true) => {
    if (key.limits === null) return
    const found = service === null ? undefined : await store.services.find(service)
    refuseBeyondLimits(key, {
      mounts: [mount],
      // A service that does not exist is refused with the name that the request has.
      services: found === undefined ? [] : [found.name],
      pointer: inBody ? list => (list === 'mounts' ? '/mount' : '/service') : undefined,
    })
  }
  app.openapi(pruneOperation, async c => {
    const { unusedFor, claimedOnly, dryRun } = c.req.valid('json')
    const { limits } = c.get('key')
    const allowed = limits === null ? undefined : (route: Route) => isWithinLimits(limits, route)
    const request = { unusedMs: unusedFor * 1000, claimedOnly, dryRun, allowed }
    const { routes, more, recordedMs } = await store.routes.prune(request, c.get('by'))
    return c.json({ items: routes.map(routeBody), more, recordedSeconds: recordedMs / 1000, dryRun }, 200)
  })
  app.openapi(createOperation, async c => {
    const { mount, service = null, options = {} } = c.req.valid('json')
    await refuseBeyond(c.get('key'), mount, service)
    refuseProblems({ mount, service, options })
    refuseInnerAddress(outbound, options.access)
    const row = await store.routes.create(
      { mount, service, options: withRequirements(await withoutPasswords(options)) },
      c.get('by'),
    )
    c.header('Location', `/v1/routes/${row.id}`)
    c.header('ETag', etagOf(row))
    return c.json(routeBody(row), 201)
  })
  app.openapi(listOperation, async c => {
    const page = await store.routes.list(c.req.valid('query'))
    return c.json(pageBody(c, page, routeBody), 200)
  })
  app.openapi(readOperation, async c => {
    const { id } = c.req.valid('param')
    const row = c.req.valid('query').includeDeleted ? await store.routes.get(id) : await living(id)
    return notModified(c, row) ? c.body(null, 304) : c.json(routeBody(row), 200)
  })
  app.openapi(changeOperation, async c => {
    const { id } = c.req.valid('param')
    const { options: patch = {}, ...fields } = c.req.valid('json')
    const ifVersion = await ifMatchVersion(c, () => living(id))
    const by = c.get('by')
    const key = c.get('key')
    refuseInnerAddress(outbound, patch.access as AccessInput | null | undefined)
    const hashed = await withoutPasswords(patch)
    const row = await changeMerged(
      ifVersion,
      () => living(id),
      async (before, version) => {
        const options = mergePatch(before.options, hashed)
        const { mount = before.mount, service = before.serviceName } = fields
        await refuseBeyond(key, before.mount, before.serviceName, false)
        await refuseBeyond(key, mount, service)
        // What a newer version has stored beside the patch is none of its business.
        const { tenantHeader, rules } = resolveRouteOptions(options)
        refuseProblems({ mount, service, options: { ...rules, tenantHeader: tenantHeader ?? undefined } })
        return store.routes.update(
          id,
          { ...fields, options: withRequirements(options) },
          { ...by, ifVersion: version },
        )
      },
    )
    c.header('ETag', etagOf(row))
    return c.json(routeBody(row), 200)
  })
  app.openapi(removeOperation, async c => {
    const { id } = c.req.valid('param')
    const ifVersion = await ifMatchVersion(c, () => living(id))
    if (c.get('key').limits !== null) {
      const { mount, serviceName } = await living(id)
      await refuseBeyond(c.get('key'), mount, serviceName, false)
    }
    await store.routes.remove(id, { ...c.get('by'), ifVersion })
    return c.body(null, 204)
  })
}
