// Routes over HTTP: each leads from a host and a path to a service, or has a response of Plugboard itself.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { type AdminKey, ROUTE_SORTS, ROUTE_STATES, type Route } from '../../../database/store/store.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'
import type { OutboundNetworks } from '../../../routes/options/outbound-networks.ts'
import { ROUTE_RULES, resolveRouteOptions, withRequirements } from '../../../routes/options/route-options.ts'
import { type RouteProblem, routeProblems, type WholeRoute } from '../../../routes/options/route-problems.ts'
import { withoutPasswords } from '../../../routes/options/route-secrets.ts'
import type { AccessInput } from '../../../routes/rules/access-rules.ts'
import { isWithinLimits, refuseBeyondLimits } from '../../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../../admin-env.ts'
import {
  newRouteSchema,
  prunedRoutesSchema,
  routeBody,
  routeChangeSchema,
  routePruningSchema,
  routeSchema,
  serviceRef,
} from '../../bodies/route.ts'
import { body, json, operation } from '../../http/openapi.ts'
import { sortQuery } from '../../http/page.ts'
import { refuseProblems } from '../../http/problem.ts'
import { isDryRun, writeQuery } from '../../writes/dry-run.ts'
import { changeMerged, mergePatch } from '../../writes/merge-patch.ts'
import { addResource } from '../resource.ts'
import { idOrMount } from './route-id.ts'
import { listRoutes } from './route-list.ts'

/** Returns the problems of a new route that depend on several fields of it, or on the networks that URLs may lead to. */
export function newRouteProblems(route: WholeRoute, outbound: OutboundNetworks): RouteProblem[] {
  return [...routeProblems(route), ...innerAddressProblems(outbound, route.options.access)]
}

/** Returns a problem for a `jwksUrl` whose text shows that Plugboard would not connect to its address. */
function innerAddressProblems(
  outbound: OutboundNetworks,
  access: AccessInput | null | undefined,
): RouteProblem[] {
  const url = access?.jwt?.jwksUrl
  const message = url === undefined ? undefined : outbound.problemOfHost(new URL(url).hostname)
  return message === undefined ? [] : [{ path: ['options', 'access', 'jwt', 'jwksUrl'], message }]
}

const pruneOperation = operation(
  { permission: 'routes:write', fails: ['payload_too_large', 'unsupported_media_type'] },
  {
    method: 'post',
    path: '/v1/routes/prune',
    operationId: 'pruneRoutes',
    tags: ['routes'],
    summary: 'Delete routes without requests',
    description:
      'Deletes routes that had no request for the given time. Time counts only while at least one replica recorded ' +
      'requests. A key with limits deletes only routes within its limits. Routes with a lifetime stay, because Plugboard ' +
      'deletes them at the end of their lifetime.',
    request: { query: writeQuery, body: body(routePruningSchema) },
    responses: {
      200: json(prunedRoutesSchema, 'The deleted routes.'),
    },
  },
)

export function addRouteOperations(
  app: OpenAPIHono<AdminEnv>,
  { store, outbound, directory }: AdminDependencies,
): void {
  /** `service`: the name or the id in the request. */
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
    const { unusedFor, claimedOnly, ...input } = c.req.valid('json')
    const dryRun = input.dryRun || isDryRun(c)
    const { limits } = c.get('key')
    const allowed = limits === null ? undefined : (route: Route) => isWithinLimits(limits, route)
    const request = { unusedMs: unusedFor * 1000, claimedOnly, dryRun, allowed }
    const { routes, more, recordedMs } = await store.routes.prune(request, c.get('by'))
    return c.json({ items: routes.map(routeBody), more, recordedSeconds: recordedMs / 1000, dryRun }, 200)
  })
  addResource(app, {
    names: {
      path: '/v1/routes',
      tag: 'routes',
      component: 'Route',
      operationId: ['Route', 'Routes'],
      one: 'route',
      many: 'routes',
    },
    id: idOrMount,
    body: routeSchema,
    store: { get: store.routes.get, list: query => listRoutes(query, { store, directory }) },
    show: rows => rows.map(routeBody),
    list: {
      order: 'by host and path',
      filters: {
        host: storedText(0, 255, 'app.example.com')
          .optional()
          .openapi({ description: 'Only routes with exactly this host pattern.' }),
        service: serviceRef
          .optional()
          .openapi({ description: 'Only routes to this service, by name or id.' }),
        rule: z.enum(ROUTE_RULES).optional().openapi({ description: 'Only routes with this option.' }),
        state: z
          .enum(ROUTE_STATES)
          .optional()
          .openapi({
            description:
              '`claimed`: only routes that a telephone has claimed; `created`: only the others; `unused`: only routes without a ' +
              'recorded request.',
          }),
        q: storedText(1, 255, 'shop').optional().openapi({
          description: 'Only routes whose mount, or name of the service, contains this text.',
        }),
        search: storedText(1, 255, 'shop').optional().openapi({ description: 'The same as `q`.' }),
        sort: sortQuery(ROUTE_SORTS, 'mount'),
      },
    },
    create: {
      input: newRouteSchema,
      body: routeSchema,
      fails: ['mount_conflict'],
      replay: routeBody,
      run: async ({ mount, service = null, options = {} }, { key, by }) => {
        await refuseBeyond(key, mount, service)
        refuseProblems(newRouteProblems({ mount, service, options }, outbound))
        const stored = withRequirements(await withoutPasswords(options))
        const row = await store.routes.create({ mount, service, options: stored }, by)
        return { row, body: routeBody(row) }
      },
    },
    change: {
      input: routeChangeSchema,
      fails: ['mount_conflict', 'conflict'],
      run: async ({ id, ifVersion, read }, { options: patch = {}, ...fields }, { key, by }) => {
        refuseProblems(innerAddressProblems(outbound, patch.access as AccessInput | null | undefined))
        const hashed = await withoutPasswords(patch)
        return await changeMerged(ifVersion, read, async (before, version) => {
          const options = mergePatch(before.options, hashed)
          const { mount = before.mount, service = before.serviceName } = fields
          await refuseBeyond(key, before.mount, before.serviceName, false)
          await refuseBeyond(key, mount, service)
          // Checks only the options that this version can read. A newer version may have stored others.
          const { tenantHeader, rateLimits, rules } = resolveRouteOptions(options)
          const known = {
            ...rules,
            tenantHeader: tenantHeader ?? undefined,
            rateLimits: rateLimits ?? undefined,
          }
          refuseProblems(routeProblems({ mount, service, options: known }))
          return store.routes.update(
            id,
            { ...fields, options: withRequirements(options) },
            { ...by, ifVersion: version },
          )
        })
      },
    },
    remove: {
      description: 'Open requests and WebSockets on the route continue.',
      run: async ({ id, ifVersion, read }, { key, by }) => {
        if (key.limits !== null) {
          const { mount, serviceName } = await read()
          await refuseBeyond(key, mount, serviceName, false)
        }
        await store.routes.remove(id, { ...by, ifVersion })
      },
    },
    restore: {
      description:
        'The route gets its mount, service and options again. A mount that another route has taken is `mount_conflict`. A ' +
        'mount in the path means the route that had it last.',
      fails: ['mount_conflict'],
      run: async (text, { key, by }) => {
        const { id, mount, serviceName } = await store.routes.getLast(text)
        await refuseBeyond(key, mount, serviceName, false)
        return await store.routes.restore(id, by)
      },
    },
  })
}
