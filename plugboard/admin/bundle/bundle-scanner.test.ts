import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError } from '../http/problem.ts'
import { type BundlePart, BundleScanner } from './bundle-scanner.ts'

/** Returns the parts of a text that arrives in chunks of `size` bytes. */
function scan(text: string | Uint8Array, size = 7): BundlePart[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const scanner = new BundleScanner()
  const parts: BundlePart[] = []
  for (let from = 0; from < bytes.length; from += size) {
    // A chunk of its own that is overwritten afterwards, as a stream may do.
    const chunk = Uint8Array.from(bytes.subarray(from, from + size))
    parts.push(...scanner.push(chunk))
    chunk.fill(0)
  }
  scanner.end()
  return parts
}

function problemOf(text: string | Uint8Array, size?: number): unknown {
  try {
    scan(text, size)
  } catch (error) {
    if (error instanceof RequestError) return { code: error.code, ...error.culprits[0] }
    throw error
  }
  return undefined
}

it('finds the elements of both lists and the values of other keys, in chunks of any size', () => {
  const bundle = {
    version: 1,
    services: [{ name: 'a', policy: { text: 'with "quotes", [brackets] and \\' } }, {}],
    other: [1, { deep: [[]] }],
    routes: [3, 'text', null, { ä: '→' }, []],
  }
  for (const text of [JSON.stringify(bundle), JSON.stringify(bundle, null, 2)]) {
    for (const size of [1, 2, 3, 1000]) {
      const parts = scan(text, size)
      const elements = (list: string) =>
        parts.flatMap(part => (part.kind === 'element' && part.list === list ? [part.value] : []))
      expect(elements('services')).toEqual(bundle.services)
      expect(elements('routes')).toEqual(bundle.routes)
      expect(parts.filter(({ kind }) => kind === 'value')).toEqual([
        { kind: 'value', key: 'version', pointer: '/version', value: 1 },
        { kind: 'value', key: 'other', pointer: '/other', value: bundle.other },
      ])
      expect(parts.flatMap(part => (part.kind === 'list' ? [part.list] : []))).toEqual(['services', 'routes'])
    }
  }
})

it('accepts and rejects the same texts as JSON.parse', () => {
  const value = fc.jsonValue({ maxDepth: 3 })
  const bundles = fc.record({
    version: value,
    services: fc.array(value),
    routes: fc.array(value),
    more: value,
  })
  fc.assert(
    fc.property(
      bundles,
      fc.integer({ min: 1, max: 9 }),
      fc.nat(),
      fc.constantFrom('', ',', ']', '}', '"', 'x'),
      (bundle, size, at, cut) => {
        const whole = JSON.stringify(bundle)
        const place = at % (whole.length + 1)
        const text = cut === '' ? whole : whole.slice(0, place) + cut + whole.slice(place + 1)
        let parsed: unknown
        try {
          parsed = JSON.parse(text)
        } catch {
          expect(problemOf(text, size)).toMatchObject({ code: 'invalid_request' })
          return
        }
        // The scanner also rejects two equal keys, and values that are no objects.
        if (cut !== '' && problemOf(text, size) !== undefined) return
        const { routes } = parsed as { routes?: unknown[] }
        const found = scan(text, size).flatMap(part =>
          part.kind === 'element' && part.list === 'routes' ? [part.value] : [],
        )
        if (Array.isArray(routes)) expect(found).toEqual(routes)
      },
    ),
  )
})

describe('rejects with the pointer of the part', () => {
  it.each([
    ['NaN', '{"version":1,"routes":[{},{"mount":NaN}]}', '/routes/1', 'is not valid JSON'],
    ['a missing comma', '{"routes":[{} {}]}', '/routes/0', 'is not valid JSON'],
    ['a comma at the end of a list', '{"routes":[{},]}', '/routes/1', 'is not valid JSON'],
    [
      'two equal keys',
      '{"routes":[{"mount":"a","mount":"b"}]}',
      '/routes/0',
      'has an object with two equal keys',
    ],
    [
      'two equal keys, one with an escape',
      '{"services":[{"name":"a","n\\u0061me":"b"}]}',
      '/services/0',
      'has an object with two equal keys',
    ],
    ['two equal lists', '{"routes":[],"routes":[]}', '/routes', 'is twice in the bundle'],
    ['a text after the end', '{"routes":[]} {}', '', 'has text after its end'],
    ['a list as the bundle', '[]', '', 'is not a JSON object'],
    ['an empty text', '', '', 'is not a JSON object'],
    ['the beginning of a bundle', '{"routes":[{}', '/routes/0', 'is not valid JSON'],
    ['an object that ends as a list', '{"routes":[{"a":1]]}', '/routes/0', 'is not valid JSON'],
  ])('%s', (_, text, pointer, detail) => {
    for (const size of [1, 5, 1000]) {
      expect(problemOf(text, size)).toEqual({ code: 'invalid_request', pointer, detail })
    }
  })

  it('deep nesting', () => {
    const deep = `{"routes":[${'{"a":['.repeat(100_000)}`
    expect(problemOf(deep, 1000)).toEqual({
      code: 'invalid_request',
      pointer: '/routes/0',
      detail: 'has more than 64 objects and lists in one another',
    })
  })

  it('an element with a million keys, before all of it is in memory', () => {
    const keys = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join(',')
    expect(problemOf(`{"routes":[{${keys}}]}`, 16_384)).toEqual({
      code: 'invalid_request',
      pointer: '/routes/0',
      detail: 'is longer than 262144 bytes',
    })
  })

  it('a long key', () => {
    expect(problemOf(`{"${'k'.repeat(1000)}":1}`, 100)).toMatchObject({ detail: 'is longer than 256 bytes' })
  })

  it('bytes that are not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"routes":["'), Buffer.from([0xc3, 0x28]), Buffer.from('"]}')])
    expect(problemOf(bytes)).toMatchObject({ pointer: '/routes/0', detail: 'is not UTF-8' })
  })
})

it('gives __proto__ as a key of its own', () => {
  const [part] = scan('{"routes":[{"__proto__":{"mount":"a.test"}}]}').slice(1)
  expect(part?.kind === 'element' && Object.keys(part.value as object)).toEqual(['__proto__'])
})
