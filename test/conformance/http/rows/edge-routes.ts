// The routes, services and settings that the rows of EDGE.md need. Both sides of the table use them.

import type { ProxyLimits } from '../../../../plugboard/proxy/proxy-limits.ts'

interface EdgeRoute {
  readonly mount: string
  readonly service: string
  readonly options?: object
}

/** All services have the same backend, except `dead`, `nobody`, `held` and `faked`. */
export const EDGE_ROUTES: readonly EdgeRoute[] = [
  { mount: 'edge.test', service: 'edge' },
  { mount: 'neighbour.test', service: 'edge' },
  { mount: 'mounted.test/public', service: 'edge' },
  { mount: 'stripped.test/api', service: 'edge', options: { stripMount: true } },
  { mount: 'spelled.test/%e3%83%91/%61', service: 'edge', options: { stripMount: true } },
  { mount: 'spelled.test/caf%C3%A9', service: 'edge', options: { access: { deny: ['0.0.0.0/0', '::/0'] } } },
  { mount: '*.test/caf%c3%a9', service: 'edge' },
  { mount: 'spelled.test/old', service: 'edge', options: { redirect: { to: '/new' } } },
  {
    mount: 'via-edits.test',
    service: 'edge',
    options: {
      requestHeaders: { remove: ['Via'], set: { Via: '1.1 other' } },
      responseHeaders: { remove: ['Via'] },
    },
  },
  { mount: '*.tenants.test', service: 'edge', options: { tenantHeader: 'X-Tenant' } },
  { mount: 'exact.tenants.test', service: 'own', options: { tenantHeader: 'X-Tenant' } },
  { mount: '*.deep.tenants.test', service: 'fixed' },
  { mount: 'hurried.test', service: 'hurried' },
  { mount: 'rare.test', service: 'rare' },
  { mount: 'scarce.test', service: 'scarce' },
  { mount: 'limited.test', service: 'limited' },
  { mount: 'repeated.test', service: 'repeated' },
  { mount: 'queued.test', service: 'queued' },
  { mount: 'patient.test', service: 'patient' },
  { mount: 'held.test', service: 'held' },
  { mount: 'tripped.test', service: 'tripped' },
  { mount: 'fixed.test', service: 'fixed' },
  { mount: 'own.test', service: 'own' },
  { mount: 'dead.test', service: 'dead' },
  { mount: 'nobody.test', service: 'nobody' },
  { mount: 'faked.test', service: 'faked' },
]

export const EDGE_POLICIES: Readonly<Record<string, object>> = {
  edge: {},
  /** A service with short timeouts and small bodies. */
  hurried: {
    responseHeadTimeoutMs: 400,
    idleTimeoutMs: 400,
    upgradeIdleTimeoutMs: 1200,
    maxRequestBodyBytes: 1000,
  },
  fixed: { hostHeader: { fixed: 'inner.example' } },
  own: { hostHeader: 'backend' },
  rare: { maxRequestsPerSecond: 1 },
  /** Its backend accepts few connections. */
  scarce: {},
  limited: { maxStreams: 4 },
  repeated: { retryStatuses: [503] },
  queued: { maxStreams: 1, queue: { max: 1, timeoutMs: 300 } },
  patient: { maxStreams: 1, queue: { max: 1, timeoutMs: 60_000 } },
  /** It has no telephone. */
  held: { holdMs: 300 },
  tripped: { breaker: { minRequests: 2, openMs: 60_000 } },
  dead: {},
  nobody: {},
  faked: {},
}

/** The settings of the proxy `limited`, which the client reaches as a trusted proxy. */
export const LIMITED = {
  trustedProxies: ['127.0.0.1'],
  allowTrace: true,
  underscoreHeaders: 'drop',
  limits: {
    maxHeadBytes: 4096,
    maxTargetBytes: 1024,
    maxHeaders: 20,
  } satisfies Partial<ProxyLimits>,
} as const
