import { expect, test } from 'vitest'
import { asRouteId, asServiceId } from '../common/ids/row-ids.ts'
import type { DirectoryRoute, DirectoryService } from '../routes/directory-entries.ts'
import { resolveRouteOptions } from '../routes/options/route-options.ts'
import { resolveServicePolicy } from '../routes/options/service-policy.ts'
import { RouteActivity } from '../routes/route-activity.ts'
import { RouteLimits } from './route-limits.ts'

const LOGIN = { name: 'login', limit: 5 }

const service = (policy: object = {}): DirectoryService => ({
  id: asServiceId('service-1'),
  name: 'shop',
  policy: resolveServicePolicy(policy).policy,
})
const route = (options: object, of = service()): DirectoryRoute => ({
  id: asRouteId('route-1'),
  host: 'a.test',
  mountPath: '/',
  mount: 'a.test',
  service: of,
  options: resolveRouteOptions(options),
  lifetimeMs: null,
  updatedAtMs: undefined,
  activity: new RouteActivity(),
})

test('the decisions of a limit continue after a change of its row, also of the limit itself', () => {
  const limits = new RouteLimits()
  const before = route({ rateLimits: [LOGIN, { name: 'other', limit: 1 }] })
  limits.of(before)!.beforeCredential[0]!.decisions.admitted = 7
  const after = route({ rateLimits: [{ ...LOGIN, limit: 9, key: ['user'], enforce: false }], hsts: false })
  limits.routeChanged(before, after)
  expect(limits.ofRoute(after)).toMatchObject([{ name: 'login', limit: 9, decisions: { admitted: 7 } }])
  expect(limits.of(after)!.afterCredential[0]!.decisions.admitted).toBe(7)
})

test('a limit that is deleted and added again starts at 0, also in one row with others', () => {
  const limits = new RouteLimits()
  const first = route({ rateLimits: [LOGIN, { name: 'other', limit: 1 }] })
  for (const { decisions } of limits.of(first)!.beforeCredential) decisions.admitted = 7
  const second = route({ rateLimits: [{ name: 'other', limit: 1 }] })
  limits.routeChanged(first, second)
  const third = route({ rateLimits: [LOGIN, { name: 'other', limit: 1 }] })
  limits.routeChanged(second, third)
  expect(limits.ofRoute(third).map(({ decisions }) => decisions.admitted)).toEqual([0, 7])
  limits.routeChanged(third, undefined)
  expect(limits.ofRoute(route({ rateLimits: [LOGIN] }))[0]!.decisions.admitted).toBe(0)
})

test('the limits of a service continue after a change of its policy, and end with it', () => {
  const limits = new RouteLimits()
  const before = service({ maxRequestsPerSecond: 3 })
  limits.of(route({}, before))!.beforeCredential[0]!.decisions.rejected = 2
  const after = service({ maxRequestsPerSecond: 3, retries: 0 })
  limits.serviceChanged(before, after)
  expect(limits.ofService(after)).toMatchObject([
    { name: 'maxRequestsPerSecond', decisions: { rejected: 2 } },
  ])
  limits.serviceChanged(after, service())
  expect(limits.ofService(service())).toEqual([])
  expect(limits.ofService(service({ maxRequestsPerSecond: 3 }))[0]!.decisions.rejected).toBe(0)
})

test('keys keep their limit only while they are counted by it', () => {
  const limits = new RouteLimits()
  const owner = (rule: object) => limits.ofRoute(route({ rateLimits: [{ ...LOGIN, ...rule }] }))[0]!.owner
  const first = owner({})
  expect(owner({ enforce: false })).toBe(first)
  const longer = owner({ windowSeconds: 60 })
  expect(longer).not.toBe(first)
  expect(limits.ofService(service({ rateLimits: [LOGIN] }))[0]!.owner).not.toBe(longer)
})
