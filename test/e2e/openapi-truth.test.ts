// Compares the OpenAPI document with a running Plugboard. All cases come from the document: the server must accept each value
// that a schema allows, at each limit and for each change of a format, and reject each value that it forbids. Each response
// must be as documented. A schema cannot state every rule. When the server rejects more, the schema of that place must
// describe the rule in words. `OPENAPI_CASES=20000 SEED=7` tries more edits of texts than the short form.

import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  DocumentedApi,
  type DocumentedCall,
  type DocumentedOperation,
  type DocumentedParameter,
  type DocumentedResponse,
} from '../support/admin-api/documented-api.ts'
import type { JsonSchema } from '../support/admin-api/json-schema.ts'
import { type SchemaCase, SchemaCases } from '../support/admin-api/schema-cases.ts'
import { send } from '../support/http/http-client.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.ts'
import { administer } from '../support/postgres/postgres-setup.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { Processes } from '../support/process/processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { type Random, runSeed, seededRandom } from '../support/seeded-random.ts'

const LONG = process.env.OPENAPI_CASES !== undefined
const EDITS = Number(process.env.OPENAPI_CASES ?? 50)
const SEED = process.env.SEED === undefined ? 1 : runSeed()

const processes = new Processes()
let folder: string
let database: TestDatabase
let api: DocumentedApi
let cases: SchemaCases
/** A key without scopes. */
let weakKey: string
/** The rows that the paths of the document name. */
const rows: Record<string, string> = {}
const ROWS: Record<string, object> = {
  '/v1/services': { name: 'shop' },
  '/v1/routes': { mount: 'row.test', service: 'shop' },
  '/v1/tokens': { name: 'row', services: ['shop'] },
  '/v1/keys': { name: 'row', scopes: [] },
}
/** Returns the path with the row in place of `{id}`, and with the required parameters of the query except `except`. */
const pathTo = (operation: DocumentedOperation, except?: string): string => {
  const { path } = operation
  const row = path.replace(/\{\w+\}/, rows[path.replace(/\/\{.*/, '')] ?? 'no-such-row')
  return row + requiredQuery(operation, except)
}

function requiredQuery({ parameters = [] }: DocumentedOperation, except?: string): string {
  const query = new URLSearchParams(
    parameters
      .filter(parameter => parameter.in === 'query' && parameter.required && parameter.name !== except)
      .map(({ name, schema }) => [name, String(cases.sample(schema))]),
  )
  return query.size === 0 ? '' : `?${query}`
}

const withParameter = (path: string, query: string): string =>
  `${path}${path.includes('?') ? '&' : '?'}${query}`

beforeAll(async () => {
  folder = await temporaryFolder()
  database = await createTestDatabase()
  const args = ['--max-bundle', '256KiB']
  const plugboard = await PlugboardProcess.start({ processes, folder, databaseUrl: database.url, args })
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  api = await DocumentedApi.open(plugboard.adminPort, await plugboard.adminKey(), description =>
    description.startsWith('Capture stops at this time') ? soon : undefined,
  )
  cases = new SchemaCases(api.reader)
  weakKey = (await plugboard.call<{ key: string }>('POST', '/v1/keys', { name: 'weak', scopes: [] })).key
  for (const [path, body] of Object.entries(ROWS))
    rows[path] = (await plugboard.call<{ id: string }>('POST', path, body)).id
  // Without a telephone, the API creates no override.
  const [override] = await administer(
    database.url,
    "INSERT INTO plugboard.process_overrides (service_id, instance, telephone, weight, set_by) VALUES ($1, 'i1', 'row', 0, 'test') RETURNING id",
    [rows['/v1/services']],
  )
  rows['/v1/overrides'] = String(override?.id)
  // A change whose row has changed since, so its undo is 412.
  await plugboard.call('POST', '/v1/services', { name: 'changed' })
  const { items } = await plugboard.call<{ items: { sequence: number }[] }>('GET', '/v1/changes?limit=1')
  rows['/v1/changes'] = String(items[0]?.sequence)
  await plugboard.call('DELETE', '/v1/services/changed')
  const inspect = { policy: { inspect: { until: soon } } }
  await plugboard.call('PATCH', '/v1/services/shop', inspect)
  // A request that failed, because the service has no telephone.
  const failed = await send({ port: plugboard.port, host: 'row.test' })
  rows['/v1/requests'] = String(failed.headers['x-request-id'])
  const exchanges = await plugboard.call<{ items: { id: string }[] }>('GET', '/v1/services/shop/exchanges')
  rows['/v1/exchanges'] = String(exchanges.items[0]?.id)
})
afterAll(async () => {
  api?.close()
  await processes.stopAll()
  await database.drop()
  await removeFolder(folder)
})

const bodyOf = ({ requestBody }: DocumentedOperation): JsonSchema | undefined =>
  requestBody?.content['application/json'].schema

/** A version that no row has: a change with a valid form gets 412, and the row is not changed. */
const OTHER_VERSION = { 'if-match': '"999999"' }
/** The number of cases for a place whose schema another place has too. */
/** The number of cases for a secret, because each accepted case computes a hash. */
const SECRETS = LONG ? Number.POSITIVE_INFINITY : 8
const REPEATED = LONG ? Number.POSITIVE_INFINITY : 2

it('agrees with the server about request bodies', async () => {
  const random = seededRandom(SEED)
  const disagreements: string[] = []
  const useless: string[] = []
  const seen = new Set<string>()
  const withBody = api.operations.filter(operation => bodyOf(operation) !== undefined)
  for (const operation of withBody) {
    const schema = bodyOf(operation) as JsonSchema
    const edits = cases.edits(schema)
    const share = EDITS / withBody.length / edits.length
    const byPlace = Map.groupBy(cases.limits(schema), ({ place }) => place)
    for (const each of edits) if (random() < share) byPlace.get(each.place)?.push(each)
    for (const [place, all] of byPlace) {
      const form = JSON.stringify(all[0]?.schema)
      const secret = all[0]?.schema.writeOnly === true
      const chosen = shuffled(all, random).slice(0, seen.has(form) ? REPEATED : secret ? SECRETS : all.length)
      seen.add(form)
      const beside = await findSurroundings(operation, all)
      if (beside === undefined) useless.push(`${operation.operationId} ${place}`)
      const compareOne = async ({ body }: SchemaCase) => {
        const problem = await compare(operation, merged(body, beside ?? {}))
        if (problem !== undefined) disagreements.push(`${operation.operationId} ${place}: ${problem}`)
      }
      // A Plugboard accepts few bundles at once.
      if (operation.operationId === 'putBundle') for (const each of chosen) await compareOne(each)
      else await Promise.all(chosen.map(compareOne))
    }
  }
  expect(useless, 'places for which no body is accepted').toEqual([])
  expect([...new Set(disagreements)], `SEED=${SEED}`).toEqual([])
}, 600_000)

function shuffled<Value>(values: readonly Value[], random: Random): Value[] {
  return values
    .map(value => ({ value, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ value }) => value)
}

/**
 * Returns the other values that a place needs, so that the server accepts one of its values: a route, for example, also needs a
 * service. Undefined: the server accepts no value of the place.
 */
async function findSurroundings(
  operation: DocumentedOperation,
  candidates: readonly SchemaCase[],
): Promise<object | undefined> {
  const schema = api.reader.resolve(bodyOf(operation) as JsonSchema)
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)
  const surroundings = [
    {},
    ...properties.map(([name, each]) => ({ [name]: cases.sample(each) })),
    ...FURTHER_SURROUNDINGS,
  ]
  for (const { body } of candidates)
    for (const beside of surroundings) {
      const whole = merged(body, beside)
      if (!api.reader.accepts(schema, whole)) continue
      const { status } = await sendBody(operation, whole)
      if (status !== 400) return beside
    }
  return undefined
}

/**
 * Values under which some places are accepted: a limit counts by a claim only on a route that verifies a token, the policy has a
 * key of the hash only with this balancing, and copies go to a subset of the service.
 */
const WITH_HASH = { policy: { balancing: 'hash' } }
const WITH_SUBSET = { policy: { subsets: [{ name: 'canary', select: { version: '2.*' } }] } }
const WITH_SERVICE = { service: 'shop' }
const WITH_TOKEN = {
  service: 'shop',
  options: {
    access: { jwt: { issuer: 'https://issuer.test', audience: 'app', jwksUrl: 'https://issuer.test/jwks' } },
  },
}
const FURTHER_SURROUNDINGS = [
  WITH_HASH,
  WITH_SUBSET,
  WITH_TOKEN,
  { services: [WITH_HASH] },
  { services: [WITH_SUBSET] },
  { routes: [WITH_SERVICE] },
  { routes: [WITH_TOKEN] },
]

/** Returns the body with the members of `beside` that it lacks, also within objects and lists that both have. */
function merged(body: unknown, beside: object): unknown {
  if (typeof body !== 'object' || body === null) return body
  if (Array.isArray(body)) {
    const others: readonly unknown[] = Array.isArray(beside) ? beside : []
    return body.map((each, index) => {
      const other = others[index]
      return typeof other === 'object' && other !== null ? merged(each, other) : each
    })
  }
  const inBoth = Object.entries(beside).flatMap(([name, value]) => {
    const own = (body as Record<string, unknown>)[name]
    return typeof own === 'object' && own !== null && typeof value === 'object' && value !== null
      ? [[name, merged(own, value)]]
      : []
  })
  return { ...beside, ...body, ...Object.fromEntries(inBoth) }
}

const sendBody = (operation: DocumentedOperation, body: unknown): Promise<DocumentedResponse> =>
  api.call(operation, {
    path: pathTo(operation),
    body,
    headers: operation.method === 'PATCH' ? OTHER_VERSION : {},
  })

/** Returns the disagreement. */
async function compare(operation: DocumentedOperation, body: unknown): Promise<string | undefined> {
  const schema = bodyOf(operation) as JsonSchema
  const text = JSON.stringify(body)
  const allowed = api.reader.accepts(schema, JSON.parse(text))
  const response = await sendBody(operation, body)
  // 413: the whole request is too large.
  if (allowed && response.status === 413) return undefined
  const accepted = response.status !== 400 && response.status !== 413
  if (allowed === accepted) return response.problem && `${response.problem}: ${cut(text)}`
  const culprits = response.culprits.filter(({ pointer }) => !isDescribed(schema, pointer ?? ''))
  if (allowed && response.culprits.length > 0 && culprits.length === 0) return undefined
  const why = accepted ? response.status : JSON.stringify(culprits)
  return `${cut(text)}: document ${allowed}, server ${accepted} (${why})`
}

const cut = (text: string): string =>
  text.length > 200 ? `${text.slice(0, 100)} … ${text.slice(-100)}` : text

/** True when one of the schemas at the pointer has a description. */
function isDescribed(schema: JsonSchema, pointer: string): boolean {
  let found = [schema]
  for (const part of pointer.split('/').slice(1)) found = found.flatMap(each => api.reader.within(each, part))
  const branches = found
    .map(each => api.reader.resolve(each))
    .flatMap(each => [each, ...((each.anyOf ?? []) as JsonSchema[])])
  return branches.some(each => api.reader.resolve(each).description !== undefined)
}

it('agrees with the server about parameters', async () => {
  const disagreements: string[] = []
  const seen = new Set<string>()
  const all = api.operations.flatMap(operation =>
    (operation.parameters ?? []).map(parameter => ({ operation, parameter })),
  )
  for (const { operation, parameter } of all) {
    const form = JSON.stringify(parameter)
    if (!LONG && seen.has(form)) continue
    seen.add(form)
    const texts = [...cases.limits(parameter.schema), ...cases.edits(parameter.schema)]
      .map(({ body }) => body)
      .filter(value => ['string', 'number', 'boolean'].includes(typeof value))
      .map(String)
    const random = seededRandom(SEED)
    const chosen = LONG
      ? texts
      : [...new Set([...texts.slice(0, 20), ...shuffled(texts, random).slice(0, 12)])]
    const compareOne = async (text: string) => {
      const problem = await compareParameter(operation, parameter, text)
      if (problem !== undefined)
        disagreements.push(
          `${operation.operationId} ${parameter.name} = ${JSON.stringify(cut(text))}: ${problem}`,
        )
    }
    if (operation.operationId === 'putBundle') for (const each of chosen) await compareOne(each)
    else await Promise.all(chosen.map(compareOne))
    if (parameter.in !== 'query' || parameter.schema.type === 'array') continue
    const twice = `${parameter.name}=${encodeURIComponent(String(cases.sample(parameter.schema)))}`
    const path = withParameter(pathTo(operation, parameter.name), `${twice}&${twice}`)
    const schema = bodyOf(operation)
    const { status, problem } = await api.call(operation, { path, body: schema && cases.sample(schema) })
    if (status !== 400 || problem !== undefined)
      disagreements.push(`${operation.operationId} ${parameter.name} twice: ${problem ?? status}`)
  }
  expect(disagreements, `SEED=${SEED}`).toEqual([])
}, 600_000)

/** Returns the disagreement. */
async function compareParameter(
  operation: DocumentedOperation,
  { name, in: place, schema }: DocumentedParameter,
  text: string,
): Promise<string | undefined> {
  // With an empty segment or a dot segment, the path is another one. A client cannot send such a header.
  if (place === 'path' && /^\.{0,2}$/.test(text)) return undefined
  if (place === 'header' && !/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return undefined
  if (!text.isWellFormed()) return undefined
  const encoded = encodeURIComponent(text)
  const base = place === 'path' ? operation.path.replace(/\{\w+\}/, encoded) : pathTo(operation, name)
  const allowed = api.reader.accepts(schema, typedValue(schema, text))
  const change = operation.method === 'PATCH' || operation.method === 'DELETE'
  const bodySchema = bodyOf(operation)
  const sample = bodySchema && (ROWS[operation.path] ?? cases.sample(bodySchema))
  const { status, problem, culprits } = await api.call(operation, {
    path: place === 'query' ? withParameter(base, `${name}=${encoded}`) : base,
    body: operation.method === 'PATCH' ? {} : sample,
    headers: { ...(change ? OTHER_VERSION : {}), ...(place === 'header' ? { [name]: text } : {}) },
  })
  if (problem !== undefined) return problem
  if (allowed === (status !== 400)) return undefined
  const described = culprits.some(
    culprit => (culprit.parameter ?? culprit.header) === name || culprit.detail.includes(name),
  )
  if (allowed && described && schema.description !== undefined) return undefined
  return `document ${allowed}, server ${status}`
}

/** Returns the value for a parameter. A parameter is text, and its schema has the type. */
function typedValue({ type }: JsonSchema, text: string): unknown {
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return type === 'integer' && /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text
}

/** Returns a request that gets this response for any operation. */
const PROVOKED: Record<string, (operation: DocumentedOperation) => Partial<DocumentedCall>> = {
  400: () => ({ headers: { authorization: ['Bearer a', 'Bearer b'] } }),
  401: () => ({ headers: { authorization: null } }),
  // Every key may use the operations of sessions.
  403: ({ security, path }) => ({
    headers:
      security.length === 0 || path.startsWith('/v1/session')
        ? { host: 'elsewhere.test' }
        : { authorization: `Bearer ${weakKey}` },
  }),
  404: ({ path, operationId }) => ({
    ...(operationId === 'createProcessOverride' && { body: { service: 'none', process: 'row', weight: 0 } }),
    path: path.includes('{')
      ? path.replace('{sequence}', '999999999999999').replace(/\{\w+\}/, 'no-such-row')
      : operationId === 'createProcessOverride'
        ? path
        : `${path}?service=no-such-row`,
  }),
  // A list of changes has no If-Match: the log does not reach the sequence.
  412: ({ path }) =>
    path === '/v1/changes' ? { path: `${path}?after=999999999999999` } : { headers: OTHER_VERSION },
  413: () => ({ body: Buffer.alloc(300_000, 32) }),
  415: () => ({ headers: { 'content-type': 'text/plain' } }),
  428: () => ({ headers: { 'if-match': null } }),
}

it('documents exactly the rejections that occur', async () => {
  const problems: string[] = []
  for (const operation of api.operations) {
    const schema = bodyOf(operation)
    for (const [status, provoke] of Object.entries(PROVOKED)) {
      if (operation.responses[status] === undefined) continue
      const body = schema && cases.sample(schema)
      const response = await api.call(operation, { path: pathTo(operation), body, ...provoke(operation) })
      if (String(response.status) !== status || response.problem !== undefined)
        problems.push(`${operation.operationId}, ${status}: ${response.problem ?? response.status}`)
    }
    // Bytes that are not JSON, and JSON of another type.
    for (const text of schema === undefined ? [] : ['', '{', '[]', '"x"', 'null', '{} {}', '{"a":1e999}']) {
      const response = await api.call(operation, { path: pathTo(operation), body: Buffer.from(text) })
      if (response.status !== 400 || response.problem !== undefined)
        problems.push(`${operation.operationId} with ${text}: ${response.problem ?? response.status}`)
    }
  }
  expect(problems).toEqual([])
})

it('sends the documented response when a request succeeds', async () => {
  const problems: string[] = []
  // First the reads, then the requests that change the row, then those that delete it.
  const order = ['GET', 'PATCH', 'POST', 'DELETE']
  const sorted = [...api.operations].sort(
    (one, other) => order.indexOf(one.method) - order.indexOf(other.method),
  )
  for (const operation of sorted) {
    if (['POST', 'PUT'].includes(operation.method) && bodyOf(operation) !== undefined) continue
    const path = pathTo(operation)
    const body = operation.method === 'PATCH' ? {} : undefined
    const { status, headers, problem } = await api.call(operation, { path, body })
    // A service with routes stays, and the signing key of this path does not exist.
    const isRefused = operation.method === 'DELETE' && (status === 409 || status === 404)
    // The row is not deleted, or has changed since. The tests of these operations check their success.
    const isAgain = /^(?:restore|undo)/.test(operation.operationId) && (status === 409 || status === 412)
    const fine = status < 300 || isRefused || isAgain
    if (!fine || problem !== undefined) problems.push(`${operation.operationId}: ${problem ?? status}`)
    if (operation.responses[304] === undefined) continue
    const again = await api.call(operation, { path, headers: { 'if-none-match': String(headers.etag) } })
    if (again.status !== 304 || again.problem !== undefined)
      problems.push(`${operation.operationId}, 304: ${again.problem ?? again.status}`)
  }
  expect(problems).toEqual([])
})
