// Tests that the OpenAPI document describes the behaviour of the server: patterns, examples, tags, required headers, parameters,
// methods. openapi-bodies.test.ts tests the bodies; test/e2e/openapi-lint.test.ts runs an external validator.

import { describe, expect, test } from 'vitest'
import type { JsonSchema } from '../../../test/support/admin-api/json-schema.ts'
import {
  apiKey,
  app,
  document,
  operations,
  reader,
  serverAccepts,
  TEXT_PIECES,
} from '../../../test/support/admin-api/stub-admin-api.ts'

/** Yields every schema of the document, with its place. */
function* schemasIn(value: unknown, place = '#'): Generator<[string, JsonSchema]> {
  if (typeof value !== 'object' || value === null) return
  const schema = value as JsonSchema
  if (!Array.isArray(value) && (typeof schema.type === 'string' || Array.isArray(schema.type)))
    yield [place, schema]
  for (const [key, each] of Object.entries(value)) yield* schemasIn(each, `${place}/${key}`)
}

describe('the document', () => {
  test('declares and describes every tag that it uses', () => {
    const used = new Set(operations.flatMap(({ tags }) => tags))
    expect(document.tags.map(({ name }) => name).sort()).toEqual([...used].sort())
    for (const { description } of document.tags) expect(description).toMatch(/\.$/)
  })

  test('has patterns that compile, with the u flag and without, and match their example', () => {
    const patterns = [...schemasIn(document)].filter(([, { pattern }]) => pattern !== undefined)
    expect(patterns.length).toBeGreaterThan(20)
    for (const [place, { pattern, example }] of patterns) {
      expect(pattern, place).toMatch(/^\^.*\$$/s)
      for (const flags of ['', 'u'])
        expect(new RegExp(pattern as string, flags).test(example as string), `${place}: ${example}`).toBe(
          true,
        )
    }
  })

  test('has examples and defaults that its schemas allow', () => {
    for (const [place, schema] of schemasIn(document)) {
      for (const key of ['example', 'default'] as const)
        if (schema[key] !== undefined)
          expect(reader.accepts(schema, schema[key]), `${place}/${key}`).toBe(true)
    }
  })

  test('names the route option for a fixed response "respond" everywhere', () => {
    const options = [...schemasIn(document)].filter(([place]) => place.endsWith('/properties/options'))
    const withRedirect = options.filter(([, schema]) => Object.hasOwn(schema.properties ?? {}, 'redirect'))
    expect(withRedirect.map(([place]) => place)).toEqual([
      '#/components/schemas/NewRoute/properties/options',
      '#/components/schemas/RouteChange/properties/options',
    ])
    for (const [place, { properties }] of withRedirect) {
      expect(properties, place).toHaveProperty('respond')
      expect(properties, place).not.toHaveProperty('answer')
    }
  })

  test('requires If-Match exactly where the server does', async () => {
    for (const { method, path, parameters = [] } of operations) {
      const hasVersion = !path.startsWith('/v1/signing-keys') && path !== '/v1/session'
      const changes = (method === 'PATCH' || method === 'DELETE') && hasVersion
      const header = parameters.find(({ name }) => name.toLowerCase() === 'if-match')
      expect(header?.required === true, `${method} ${path}`).toBe(changes)
      if (!changes) continue
      const request = new Request(`http://localhost${path.replace('{id}', 'shop')}`, {
        method,
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: method === 'PATCH' ? '{}' : null,
      })
      expect((await app.fetch(request)).status).toBe(428)
    }
  })
})

/** Valid bodies of writes, so that their parameters are checked. */
const BODIES: Readonly<Record<string, object>> = {
  '/v1/routes': { mount: 'a.test', service: 'shop' },
  '/v1/services': { name: 'shop' },
  '/v1/tokens': { name: 'shop' },
  '/v1/overrides': { service: 'shop', process: 'laptop', weight: 0 },
  '/v1/keys': { name: 'shop', scopes: [] },
  '/v1/routes/prune': { unusedFor: '30d' },
  '/v1/bundle': { version: 1, services: [], routes: [] },
}

describe('parameters', () => {
  const parameters = operations.flatMap(operation =>
    (operation.parameters ?? []).map(parameter => ({ ...operation, parameter })),
  )
  const TEXTS = [
    'true',
    'false',
    '1',
    '0',
    '-1',
    '7.5',
    '500',
    '501',
    '999999999999999',
    '1e3',
    'service',
    'shop',
    '"3"',
    'W/"3", "4"',
  ]

  test.each(parameters)(
    '$method $path $parameter.name: document and server agree',
    async ({ method, path, parameter, parameters = [] }) => {
      const { name, schema, required } = parameter
      const others = parameters
        .filter(other => other.in === 'query' && other.required)
        .map(other => [other.name, String(other.schema.example)])
      const long = [63, 64, 255, 256, 1000, 1300, 1301, 4096, 4097].map(length => 'a'.repeat(length))
      for (const text of [...TEXTS, ...TEXT_PIECES, ...long]) {
        // A path has no empty segment, and a header field cannot contain such bytes.
        if (parameter.in === 'path' && /^\.{0,2}$/.test(text)) continue
        if (parameter.in === 'header' && !/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)) continue
        if (text === '\ud800') continue
        const encoded = encodeURIComponent(text)
        const row = path.includes('{sequence}') ? '1' : 'shop'
        const url = path.replace(/\{\w+\}/, parameter.in === 'path' ? encoded : row)
        const query = new URLSearchParams(others)
        if (parameter.in === 'query') query.set(name, text)
        const headers = {
          ...(method === 'GET' ? {} : { 'if-match': '*' }),
          ...(parameter.in === 'header' && { [name]: text }),
        }
        const body = method === 'PATCH' ? {} : method === 'GET' ? undefined : BODIES[path]
        const allowed = reader.accepts(schema, typedValue(schema, text))
        const accepted = await serverAccepts(method, `${url}?${query}`, body, headers)
        // The description states the part of a format that a pattern cannot state.
        if (allowed && !accepted && parameter.in === 'path' && schema.description !== undefined) continue
        expect(accepted, `${text}: ${required}`).toBe(allowed)
      }
    },
  )

  /** Returns the value of a parameter. A parameter is text; its schema has the type of the value. */
  function typedValue({ type }: JsonSchema, text: string): unknown {
    if (type === 'array') return [text]
    if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
    return type === 'integer' && /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text
  }
})

describe('methods', () => {
  const PATH = (path: string) => path.replace(/\{\w+\}/, 'shop')

  test.each(Object.entries(document.paths))(
    '%s documents the methods that the API has',
    async (path, methods) => {
      const call = (method: string) =>
        app.fetch(
          new Request(`http://localhost${PATH(path)}`, {
            method,
            headers: { authorization: `Bearer ${apiKey}` },
          }),
        )
      const documented = Object.keys(methods).map(method => method.toUpperCase())
      const allowed = [...documented, 'OPTIONS', ...(documented.includes('GET') ? ['HEAD'] : [])].sort()
      expect((await call('OPTIONS')).headers.get('allow')).toBe(allowed.join(', '))
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (documented.includes(method)) continue
        const response = await call(method)
        expect([response.status, response.headers.get('allow')], method).toEqual([405, allowed.join(', ')])
      }
    },
  )
})
