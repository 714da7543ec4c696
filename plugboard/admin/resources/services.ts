// Services over HTTP. A service is a named pool of backends, with a policy for its traffic.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { isJsonObject } from '../../common/json.ts'
import { announcedNames } from '../../database/store/service-aliases.ts'
import { type AdminKey, SERVICE_SORTS, type Service } from '../../database/store/store.ts'
import { storedText } from '../../database/store/values/stored-text.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'
import { type ServiceProblem, serviceProblems } from '../../routes/options/service-problems.ts'
import { inspectUntilProblem } from '../../routes/rules/inspect-rules.ts'
import { refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { newServiceSchema, serviceBody, serviceChangeSchema, serviceSchema } from '../bodies/service.ts'
import { sortQuery } from '../http/page.ts'
import { refuseProblems } from '../http/problem.ts'
import { changeMerged, mergePatch } from '../writes/merge-patch.ts'
import { addResource, type Caller, counted, type Target } from './resource.ts'

/** Returns the problems that depend on several keys of the policy. `policy`: the complete policy, as it is stored. */
export function policyProblems(policy: unknown): ServiceProblem[] {
  return serviceProblems(resolveServicePolicy(policy).policy)
}

/** Throws for an inspector that ends too late, or has ended already. `inspect`: the value of the request, which its schema accepts. */
function refuseInspector(inspect: unknown, nowMs: number): void {
  if (!isJsonObject(inspect) || typeof inspect.until !== 'string') return
  const message = inspectUntilProblem(inspect.until, nowMs)
  if (message !== undefined) refuseProblems([{ path: ['policy', 'inspect', 'until'], message }])
}

/** Throws for aliases beyond the limits of the key. An alias gets the lines of telephones that announce it, as a name does. */
function refuseAliasesBeyondLimits(
  key: AdminKey,
  policy: { readonly aliases?: readonly string[] | null | undefined } | undefined,
): void {
  refuseBeyondLimits(key, {
    services: policy?.aliases ?? [],
    pointer: (_list, index) => `/policy/aliases/${index}`,
  })
}

export function addServiceOperations(
  app: OpenAPIHono<AdminEnv>,
  { store, directory, clock }: AdminDependencies,
): void {
  const refuseBeyond = async ({ key }: Caller, { read }: Target<Service>): Promise<void> => {
    if (key.limits !== null) refuseBeyondLimits(key, { services: [(await read()).name] })
  }
  addResource(app, {
    names: {
      path: '/v1/services',
      tag: 'services',
      component: 'Service',
      operationId: ['Service', 'Services'],
      one: 'service',
      many: 'services',
    },
    id: storedText(1, 63, 'shop').openapi({
      description: 'The name or the id of the service.',
      example: 'shop',
    }),
    body: serviceSchema,
    store: {
      get: store.services.get,
      list: counted({
        list: ({ search, q = search, ...query }) => store.services.list({ ...query, q }),
        count: ({ search, q = search, ...query }) => store.services.count({ ...query, q }),
      }),
    },
    show: async rows => {
      const lastRequests = await store.services.lastRequests(rows.map(({ id }) => id))
      return rows.map(row =>
        serviceBody(row, {
          lastRequestAt: lastRequests.get(row.id) ?? null,
          routes: directory.routeCountOf(row.id),
        }),
      )
    },
    list: {
      order: 'by name',
      filters: {
        q: storedText(1, 63, 'shop')
          .optional()
          .openapi({ description: 'Only services whose name contains this text.' }),
        search: storedText(1, 63, 'shop').optional().openapi({ description: 'The former name of `q`.' }),
        sort: sortQuery(SERVICE_SORTS, 'name'),
      },
    },
    create: {
      input: newServiceSchema,
      body: serviceSchema,
      replay: row => serviceBody(row),
      run: async (input, { key, by }) => {
        refuseBeyondLimits(key, { services: [input.name], pointer: () => '/name' })
        refuseAliasesBeyondLimits(key, input.policy)
        refuseInspector(input.policy?.inspect, clock.wallTime())
        refuseProblems(policyProblems(input.policy ?? {}))
        const row = await store.services.create(input, by)
        return { row, body: serviceBody(row) }
      },
    },
    change: {
      description:
        'A new name does not interrupt traffic: the old name becomes an alias in the policy, so telephones that announce the ' +
        'old name still serve the service. To set the aliases yourself, send `policy.aliases` too.',
      input: serviceChangeSchema,
      fails: ['conflict'],
      run: async (target, { policy: patch, ...fields }, caller) => {
        const { id, ifVersion, read } = target
        const { key, by } = caller
        await refuseBeyond(caller, target)
        if (fields.name !== undefined) {
          refuseBeyondLimits(key, { services: [fields.name], pointer: () => '/name' })
        }
        refuseAliasesBeyondLimits(key, patch)
        refuseInspector(patch?.inspect, clock.wallTime())
        if (patch === undefined) return await store.services.update(id, fields, { ...by, ifVersion })
        const keepsOldName = patch.aliases === undefined
        return await changeMerged(ifVersion, read, (before, version) => {
          const policy = mergePatch(before.policy, patch)
          refuseProblems(policyProblems(policy))
          return store.services.update(id, { ...fields, policy, keepsOldName }, { ...by, ifVersion: version })
        })
      },
    },
    remove: {
      description: 'Delete the routes of the service first.',
      fails: ['conflict'],
      run: async (target, caller) => {
        await refuseBeyond(caller, target)
        await store.services.remove(target.id, { ...caller.by, ifVersion: target.ifVersion })
      },
    },
    restore: {
      description:
        'The service gets its name and policy again, without routes. A name in the path means the service that had it last.',
      run: async (text, { key, by }) => {
        const { id, name, policy } = await store.services.getLast(text)
        refuseBeyondLimits(key, { services: announcedNames({ name, policy }) })
        return await store.services.restore(id, by)
      },
    },
  })
}
