// The admin API over a stub of the store: each query finds one row, and each write is rejected with 409. A request that
// reaches the stub has passed all checks of its form. Tests compare these checks with the OpenAPI document.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { Scraper } from '@vera-stack/shared/metrics/scraper.ts'
import { createApiKey } from '../../../plugboard/admin/access/api-key-format.ts'
import { createAdminApp } from '../../../plugboard/admin/admin-app.ts'
import type { AdminDependencies } from '../../../plugboard/admin/admin-env.ts'
import { DashboardSessions } from '../../../plugboard/admin/session/dashboard-sessions.ts'
import { OutboundNetworks } from '../../../plugboard/routes/options/outbound-networks.ts'
import { type JsonSchema, JsonSchemaReader } from './json-schema.ts'

interface ApiParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: JsonSchema
}
interface ApiOperation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: JsonSchema } }
  }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: JsonSchema }>> }>
  >
}
interface OpenApiDocument {
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

import { makeLine } from '../harness/registry-cluster.ts'

const { key, prefix, hash } = createApiKey()
export const apiKey = key

/** The one row of the stub. It is valid for each table. */
const row = {
  id: '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e',
  version: 3,
  name: 'shop',
  policy: {},
  options: {},
  mount: 'a.test',
  host: 'a.test',
  mountPath: '/',
  serviceName: 'shop',
  serviceId: null,
  claimedBy: null,
  lifetimeMs: null,
  lastRequestAt: null,
  lastTelephone: null,
  services: [],
  mounts: [],
  ttlSeconds: 60,
  scopes: [],
  limits: null,
  createdAt: new Date(),
  updatedAt: new Date(),
  expiresAt: new Date(2e12),
  deletedAt: null,
  revokedAt: null,
  lastSeenAt: null,
  lastUsedAt: null,
}
const noWatch = () => ({ replicas: () => ({ watched: [], missing: [] }), close: () => undefined })
const passed = () => Promise.reject(new VeraError('conflict', 'The request reached the store.'))
const table = new Proxy(
  {},
  {
    get: (_, method) => (method === 'get' || method === 'find' ? () => Promise.resolve(row) : passed),
  },
)
const adminKeys = {
  findByPrefix: () => Promise.resolve({ ...row, prefix, hash, scopes: ['admin'] }),
  touch: () => Promise.resolve(),
}
const store = {
  routes: table,
  services: table,
  tokens: table,
  signingKeys: table,
  changes: table,
  bundles: table,
  inspections: table,
  processOverrides: table,
  adminKeys: new Proxy({}, { get: (_, name) => adminKeys[name as 'touch'] ?? table[name as never] }),
}
export const app = createAdminApp({
  store: store as unknown as AdminDependencies['store'],
  directory: {
    waitForSequence: () => Promise.resolve(),
    subscribe: () => () => undefined,
    services: () => [].values(),
    routeCountOf: () => 0,
    routesOfHost: () => [],
    serviceByName: () => row,
    service: () => row,
  } as unknown as AdminDependencies['directory'],
  tokens: { issue: passed, revoke: passed },
  sessions: new DashboardSessions({ clock: systemClock }),
  replicaId: 'r1',
  metrics: new Scraper(() => []),
  telephones: {
    list: () => [],
    tunnelsOfToken: () => 0,
    tokenRefusals: () => ({ tunnels: 0, claims: 0, announcements: 0 }),
  },
  replicas: {
    list: () => [],
    lines: () => [],
    withoutLines: () => [],
    rebalance: () => ({ enabled: false, asked: 0 }),
  },
  cluster: {
    telephones: passed,
    facts: () => Promise.resolve({ replicas: [], missing: [] }),
  } as unknown as AdminDependencies['cluster'],
  clusterState: { read: passed },
  tunnelEvents: { history: passed, disconnect: passed },
  requests: { list: passed, explain: passed },
  exchanges: { list: passed, get: passed },
  replay: passed,
  liveLog: { watch: noWatch, watchExchanges: noWatch },
  trafficView: { read: passed },
  routeTraffic: { read: passed },
  liveTraffic: { watch: noWatch },
  lineChanges: () => () => undefined,
  lines: {
    linesOf: () => [makeLine('r1', 't1', 'shop')],
    statesOf: () => [].values(),
    isServed: () => false,
    lastLineOf: () => undefined,
  },
  dryRun: ({ host, target }) =>
    Promise.resolve({ host, path: target, route: undefined, response: undefined }),
  traffic: () => undefined,
  limitView: { list: passed },
  processView: { of: passed },
  limits: () => ({ keys: 0, maxKeys: 0, evictions: 0, rejected: 0, unwritten: 0 }),
  lastErrors: () => [],
  doctor: () =>
    Promise.resolve({
      replicaId: 'r1',
      version: '0.0.0',
      node: '',
      checkedAt: new Date().toISOString(),
      items: [],
    }),
  outbound: new OutboundNetworks([]),
  maxBundleBytes: 64 * 1024 * 1024,
  plugboardUrl: () => 'https://proxy.test',
  generateSigningKey: passed,
  log: silentLogger,
  clock: systemClock,
  version: '0.0.0',
  phase: () => 'ready',
})
export const document = app.document() as OpenApiDocument
export const reader = new JsonSchemaReader(document.components.schemas)
export const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    path,
    method: method.toUpperCase(),
    ...operation,
  })),
)
/** Resolves with true when the server accepts the form of the request. */
export async function serverAccepts(
  method: string,
  path: string,
  body?: unknown,
  headers: object = {},
): Promise<boolean> {
  const response = await app.fetch(
    new Request(`http://localhost${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    }),
  )
  if (response.status === 500) throw new Error(`${method} ${path}: ${await response.text()}`)
  await response.body?.cancel()
  return response.status !== 400
}

/** Pieces of text that at least one format does not allow. */
export const TEXT_PIECES = [
  '',
  ' ',
  'a',
  'A',
  '9',
  '-',
  '.',
  '..',
  '_',
  '*',
  '/',
  '//',
  '\\',
  '%',
  '%2F',
  '%zz',
  ':',
  '::',
  ';',
  ',',
  '"',
  '#',
  '?',
  '@',
  'é',
  '\u0000',
  '\n',
  '\t',
  '\u007f',
  '\u0085',
  '\ud800',
  '😀',
  '{',
  '{host}',
  '{nothing}',
  '<',
  'null',
  '=',
  '+',
  '~',
  '$',
  '^',
  '|',
]
