// Tests that the server accepts the form of each request body that the OpenAPI document allows, and rejects each other body. The
// bodies are copies of valid bodies with one changed value.

import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { JsonSchema } from '../../../test/support/admin-api/json-schema.ts'
import {
  operations,
  reader,
  serverAccepts,
  TEXT_PIECES,
} from '../../../test/support/admin-api/stub-admin-api.ts'
import { runSeed } from '../../../test/support/seeded-random.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'

/** Cases for each value. The default is small; `OPENAPI_CASES=500 SEED=7` runs more cases with another seed. */
const CASES = Number(process.env.OPENAPI_CASES ?? 10)
const SEED = process.env.SEED === undefined ? 1 : runSeed()

// Valid requests with every field that a body may have. A field without a sample is a fault of this test.

const rateLimits = [
  {
    name: 'plan',
    limit: 100,
    windowSeconds: 60,
    burst: 50,
    key: ['address', { header: 'X-API-Key' }, { cookie: 'session' }, { claim: '/sub' }],
    onMissing: 'skip',
    match: { path: '/api/login', methods: ['POST'] },
    count: 'responseBytes',
    scope: 'replica',
    enforce: false,
    headers: false,
  },
]
const options = {
  rateLimits,
  stripMount: true,
  allowHttp: true,
  tenantHeader: 'X-Tenant',
  hsts: { maxAgeSeconds: 31_536_000, includeSubDomains: true, preload: true },
  access: {
    allow: ['192.0.2.0/24', '2001:db8::/32'],
    deny: ['192.0.2.7'],
    forwardAuthorization: true,
    basic: { realm: 'Staff', users: [{ name: 'ada', hash: '' }], forwardUser: 'X-User' },
    jwt: {
      issuer: 'https://issuer.test',
      audience: ['app'],
      jwksUrl: 'https://issuer.test/jwks.json',
      algorithms: ['ES256'],
      claims: { sub: 'ada', level: 3, staff: [true] },
      scopes: ['read'],
      forward: { sub: 'X-Subject' },
      header: 'X-Token',
    },
  },
  cors: {
    origins: ['https://app.test', 'https://*.app.test:8443'],
    methods: ['PUT'],
    headers: ['X-A'],
    exposed: ['X-B'],
    credentials: true,
    maxAgeSeconds: 5,
  },
  requestHeaders: { remove: ['Cookie'], set: { 'X-From': 'by {host}' }, add: { 'X-More': ['1', '2'] } },
  responseHeaders: { remove: ['Server'], set: { Server: 'ours' }, add: { 'X-More': '1' } },
}
/** The only body with a password, and a small one, because the hash of a password is slow. */
const withPassword = { access: { basic: { users: [{ name: 'ada', password: 'analytical engine' }] } } }
const redirect = { to: 'https://new.test/base', status: 308, keepPath: true, keepQuery: true }
const respond = {
  status: 503,
  contentType: 'text/html',
  body: 'later',
  headers: { 'X-A': '1' },
  retryAfterSeconds: 5,
  except: ['10.0.0.0/8', '2001:db8::7'],
  from: '2026-12-24T18:00:00Z',
  until: '2026-12-25T08:00:00+01:00',
}
const policy = {
  rateLimits,
  sticky: { cookie: { name: 'shop_session', ttlSeconds: 3600 } },
  subsets: [
    {
      name: 'canary',
      select: { version: '2.*', labels: { track: 'canary' } },
      percent: 5,
      match: { header: { 'X-Canary': 'yes' } },
      guard: { maxErrorPercent: 5, minRequests: 50 },
    },
  ],
  splitBy: { cookie: 'session' },
  mirror: { to: 'canary', percent: 10, methods: ['GET', 'POST'], maxBodyBytes: 1024 },
  locality: { label: 'region' },
  balancing: 'hash',
  hashOn: { cookie: 'session' },
  slowStartMs: 5000,
  whenAllDown: 'try',
  outlier: { consecutive: 3, ejectMs: 1000, maxEjectMs: 2000, maxEjectedPercent: 20 },
  maxStreamsPerTelephone: 5,
  responseHeadTimeoutMs: 5,
  idleTimeoutMs: 5,
  upgradeIdleTimeoutMs: 5,
  retries: 3,
  retryBudgetPercent: 5,
  retryStatuses: [502, 504],
  tryTimeoutMs: 5,
  queue: { max: 5, timeoutMs: 5 },
  holdMs: 5,
  breaker: { errorPercent: 5, minRequests: 5, windowMs: 500, openMs: 5 },
  maxRequestBodyBytes: 5,
  maxStreams: 5,
  maxRequestsPerSecond: 5,
  inspect: {
    until: new Date(Date.now() + 3_600_000).toISOString(),
    sample: 0.5,
    maxBodyBytes: 1024,
    maskJson: ['/card/number', '/items/*/price'],
  },
  hostHeader: { fixed: 'a.internal:8080' },
  aliases: ['shop-old'],
}
const SAMPLES: Record<string, unknown[]> = {
  pruneRoutes: [{ unusedFor: '30d', claimedOnly: true, dryRun: true }],
  createRoute: [
    { mount: 'app.example.com/api', service: 'shop', options },
    { mount: '*.example.com', options: { redirect } },
    { mount: 'b.test', service: 'shop', options: withPassword },
    { mount: '*', service: 'shop', options: { respond } },
    { mount: 'a.test/old', service: null, options: { redirect: { to: '/new' }, hsts: false } },
  ],
  changeRoute: [
    { mount: 'app.example.com/api', service: 'shop', options },
    {
      options: {
        redirect,
        stripMount: null,
        access: null,
        hsts: { maxAgeSeconds: 60 },
      },
    },
    { options: { respond } },
    { options: withPassword },
  ],
  createService: [
    { name: 'shop', policy },
    { name: 'shop', policy: { hostHeader: 'backend', maxStreams: null, sticky: { header: 'X-Session' } } },
    { name: 'shop', policy: { balancing: 'hash', hashOn: { header: 'X-Tenant' }, splitBy: { header: 'A' } } },
    { name: 'shop', policy: { balancing: 'hash', hashOn: { claim: '/sub' }, splitBy: { claim: '/sub' } } },
  ],
  changeService: [
    { name: 'shop', policy },
    { policy: { sticky: { header: 'X-Session' } } },
    { policy: { balancing: 'hash', hashOn: { header: 'X-Tenant' }, splitBy: { header: 'A' } } },
    { policy: { balancing: 'hash', hashOn: { claim: '/sub' }, splitBy: { claim: '/sub' } } },
    { policy: { ...policy, outlier: false, hostHeader: null, maxRequestBodyBytes: null } },
  ],
  replayExchange: [
    {
      telephone: 'canary-1',
      method: 'PUT',
      target: '/a?b=1',
      fields: { 'X-A': 'b', Authorization: null },
      body: 'x',
    },
  ],
  createProcessOverride: [
    { service: 'shop', process: 'laptop', weight: 0, ejectFor: '5m', reason: 'deploy', force: true },
    { service: 'shop', process: 'laptop', weight: 10 },
  ],
  changeProcessOverride: [
    { weight: 5, ejectFor: '5m', reason: 'deploy', force: false },
    { weight: null, ejectFor: null, reason: null },
  ],
  issueToken: [
    {
      name: 'shop-1',
      services: ['shop', 'shop-*', '*'],
      mounts: ['app.example.com/api', '*'],
      ttl: '30d',
      limits: { tunnels: 4, claims: null, announcementsPerMinute: 9 },
    },
  ],
  createKey: [
    {
      name: 'deploy',
      scopes: ['routes:write', 'tokens:read'],
      ttl: '90d',
      limits: { services: ['shop-*'], mounts: ['*'] },
    },
  ],
}
/** Places where the server has rules that a schema cannot express. There it rejects some values that the document allows. */
const KNOWN_BETTER: readonly [place: RegExp, reason: string][] = [
  [/^\/mount$|\/mounts\/\d$/, 'labels of a host, letters of other scripts, empty segments and dot segments'],
  [/^\/(?:service|options)?$/, 'a route has a service or responds by itself; a token grants something'],
  [/\/(?:allow|deny|except)\/\d$/, 'the groups of an IPv6 address, the bits of a network'],
  [/\/jwksUrl$|\/redirect\/to$/, 'the parts of a URL, and the target of a redirect'],
  [/\/hash$/, 'the bounds of the costs'],
  [
    /\/(?:tenantHeader|forwardUser|header|forward|forward\/sub)$/,
    'fields with a meaning of their own; no field twice',
  ],
  [/Headers\/(?:remove\/\d|set|add)$|\/respond\/headers$/, 'fields that cannot be edited; no field twice'],
  [/\/cors(?:\/\w+\/\d)?$/, 'no * together with credentials'],
  [/\/respond(?:\/\w+)?$/, 'no body with 204 and 205; its length is in bytes'],
  [/\/hsts(?:\/\w+)?$/, 'the rules of the preload list'],
  [/\/hostHeader\/fixed$/, 'labels of a host, a port that exists'],
  [/^\/ttl$/, 'from 10s to 3650d'],
  [/^\/unusedFor$/, 'more than 0'],
  [/^\/ejectFor$/, 'from 1s to 1h'],
  [/^\/(?:weight|ejectFor)?$/, 'an override has a weight or an ejection'],
  [/\/outlier(?:\/\w+)?$/, 'a first time of ejection that is not longer than the longest'],
  [/\/inspect(?:\/until)?$/, 'a time within the next 24 h'],
  [/\/access$/, 'the login by which a limit counts'],
  [/\/match\/path$/, 'the spelling of a mount path, and under the mount'],
  [/\/policy$|\/hashOn$|\/balancing$/, 'hashOn together with the balancing policy hash'],
  [/\/mirror\/to$|\/subsets(?:\/0\/name)?$/, 'a mirror to a subset of the service'],
  [/\/burst$|\/limit$/, 'a burst of at most the limit'],
  [/\/key(?:\/\d)?$/, 'a user or a claim only on routes that verify one'],
]

/** Returns other values for a place: of other types, beyond its bounds, and texts with one character more or less. */
function changesOf(value: unknown): fc.Arbitrary<unknown> {
  const others = fc.constantFrom<unknown>(null, true, 7, -1, 0.5, 1e21, 'x', [], {}, ['x'], { x: 1 })
  if (typeof value === 'string') {
    const edited = fc
      .tuple(fc.nat(value.length), fc.constantFrom(...TEXT_PIECES), fc.nat(2))
      .map(([at, piece, cut]) => value.slice(0, at) + piece + value.slice(at + cut))
    const long = fc.constantFrom(63, 64, 65, 128, 129, 255, 256, 257, 300, 301, 1024, 2048, 2049, 4096, 4097)
    return fc.oneof(
      { weight: 6, arbitrary: edited },
      {
        weight: 2,
        arbitrary: fc.array(fc.constantFrom(...TEXT_PIECES), { maxLength: 4 }).map(parts => parts.join('')),
      },
      { weight: 1, arbitrary: long.map(length => value.padEnd(length, 'a').slice(0, length)) },
      { weight: 1, arbitrary: others },
    )
  }
  if (typeof value === 'number') {
    const bounds = [
      0, 1, 10, 11, 199, 200, 299, 300, 301, 302, 399, 400, 599, 600, 86_400, 86_401, 86_400_000,
    ]
    const more = [86_400_001, 1_000_000, 1_000_001, 31_536_000, 31_536_001, 315_360_000, 2 ** 53 - 1, 2 ** 53]
    return fc.oneof(fc.constantFrom<unknown>(...bounds, ...more), others)
  }
  return others
}

/** Returns the places of all values in a body, such as `['options', 'cors', 'origins', 0]`. */
function placesOf(value: unknown, place: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [place]
  const entries = Array.isArray(value)
    ? value.map((each, index) => [index, each] as const)
    : Object.entries(value)
  return [place, ...entries.flatMap(([key, each]) => placesOf(each, [...place, key]))]
}

function at(value: unknown, place: readonly (string | number)[]): unknown {
  return place.reduce<unknown>((each, key) => (each as Record<string | number, unknown>)[key], value)
}

/** Returns a copy in which `edit` has changed the object or array that contains the value. */
function edited(
  body: unknown,
  place: readonly (string | number)[],
  edit: (holder: never, key: never) => void,
): unknown {
  const copy = structuredClone({ body })
  const whole = ['body', ...place]
  edit(at(copy, whole.slice(0, -1)) as never, whole.at(-1) as never)
  return copy.body
}

/** Returns the fields of the schema that are missing in all samples. */
function missingIn(written: JsonSchema, samples: readonly unknown[], place = ''): string[] {
  const schema = reader.resolve(written)
  const branches = (schema.anyOf ?? []) as JsonSchema[]
  const items = samples.filter(Array.isArray).flat()
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)
  return [
    ...branches.flatMap(branch => missingIn(branch, samples, place)),
    ...(schema.items === undefined ? [] : missingIn(schema.items as JsonSchema, items, `${place}/0`)),
    ...properties.flatMap(([key, each]) => {
      const found = samples.flatMap(sample => (hasKey(sample, key) ? [sample[key]] : []))
      return found.length === 0 ? [`${place}/${key}`] : missingIn(each, found, `${place}/${key}`)
    }),
  ]
}

function hasKey(value: unknown, key: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
}

// The elements of a bundle have the bodies of `createService` and `createRoute`.
const withBody = operations.filter(
  ({ requestBody, operationId }) => requestBody !== undefined && operationId !== 'putBundle',
)

beforeAll(async () => {
  const [user] = options.access.basic.users
  user!.hash = await hashPassword('lovelace', { ln: 10, r: 8, p: 1 })
})

test('the samples have every field of each body', () => {
  for (const { operationId, requestBody } of withBody) {
    const { schema } = requestBody!.content['application/json']
    expect(missingIn(schema, SAMPLES[operationId] ?? []), operationId).toEqual([])
  }
})

test('each operation has samples, and the server accepts them', async () => {
  expect(Object.keys(SAMPLES).sort()).toEqual(withBody.map(({ operationId }) => operationId).sort())
  for (const { operationId, method, path, requestBody } of withBody) {
    for (const sample of SAMPLES[operationId] ?? []) {
      const schema = requestBody!.content['application/json'].schema
      expect(reader.accepts(schema, sample), `${operationId} by the document`).toBe(true)
      const url = path.replace('{id}', 'shop')
      expect(
        await serverAccepts(method, url, sample, { 'if-match': '*' }),
        `${operationId} by the server`,
      ).toBe(true)
    }
  }
})

test.each(withBody)(
  '$operationId: document and server agree',
  async ({ operationId, method, path, requestBody }) => {
    const { schema } = requestBody!.content['application/json']
    const disagreements: string[] = []
    const compare = async (body: unknown, place: readonly (string | number)[]): Promise<void> => {
      // JSON cannot express some values, for example undefined.
      const sent = JSON.parse(JSON.stringify(body)) as unknown
      const allowed = reader.accepts(schema, sent)
      const accepted = await serverAccepts(method, path.replace('{id}', 'shop'), sent, { 'if-match': '*' })
      if (allowed === accepted) return
      const pointer = `/${place.join('/')}`
      if (allowed && KNOWN_BETTER.some(([known]) => known.test(pointer))) return
      disagreements.push(
        `${pointer} = ${JSON.stringify(at(sent, place))}: document ${allowed}, server ${accepted}`,
      )
    }
    for (const sample of SAMPLES[operationId] ?? []) {
      // Each accepted password causes a hash, which is slow.
      const cases = JSON.stringify(sample).includes('"password"') ? Math.ceil(CASES / 5) : CASES
      for (const place of placesOf(sample)) {
        for (const value of fc.sample(changesOf(at(sample, place)), { numRuns: cases, seed: SEED }))
          await compare(
            edited(sample, place, (holder: never, key: never) => ((holder as never)[key] = value as never)),
            place,
          )
        if (typeof place.at(-1) !== 'string') continue
        await compare(
          edited(sample, place, (holder: never, key: never) => delete holder[key]),
          place.slice(0, -1),
        )
        const renamed = edited(
          sample,
          place,
          (holder: never, key: never) => ((holder as never)[`${key}x` as never] = holder[key]),
        )
        await compare(renamed, place.slice(0, -1))
      }
    }
    expect([...new Set(disagreements)]).toEqual([])
  },
  60_000,
)
