// The access line equals the text of JSON.stringify, for any values.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccessJson, type AccessLevel } from './access-json.ts'
import type { AccessFields } from './fields.ts'
import { LineBytes } from './line-bytes.ts'

/** Texts of clients with the characters that JSON escapes, among them halves of surrogate pairs. */
const hostile = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0x7f }),
      fc.constantFrom(0x22, 0x5c, 0x7f, 0xe9, 0x2028, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfeff),
      fc.integer({ min: 0, max: 0xffff }),
    ),
    { maxLength: 40 },
  )
  .map(codes => String.fromCharCode(...codes))
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), hostile)
const plainText = fc.stringMatching(/^[ !#-[\]-~]{0,40}$/)
const anyMilliseconds = fc.oneof(
  fc.integer({ min: 0, max: 1e9 }).map(microseconds => microseconds / 1000),
  fc.integer({ min: 0, max: 2 ** 53 }).map(microseconds => microseconds / 1000),
  fc.double(),
)
const plainMilliseconds = fc.integer({ min: 0, max: 1e9 }).map(microseconds => microseconds / 1000)
const anyCount = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.double())
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** In the order of the fields in the line. The type requires each field of AccessFields. */
const fieldsOf = (
  text: fc.Arbitrary<string>,
  milliseconds: fc.Arbitrary<number>,
  count: fc.Arbitrary<number>,
): { readonly [Name in keyof Required<AccessFields>]: fc.Arbitrary<AccessFields[Name]> } => ({
  requestId: text,
  method: text,
  host: text,
  path: text,
  status: fc.oneof(fc.integer({ min: 100, max: 999 }), count),
  durationMs: milliseconds,
  bytesIn: count,
  bytesOut: count,
  remoteAddress: text,
  protocol: optional(text),
  route: optional(text),
  mount: optional(text),
  service: optional(text),
  telephoneId: optional(text),
  peer: optional(text),
  subset: optional(text),
  headMs: optional(milliseconds),
  backendMs: optional(milliseconds),
  retries: optional(count),
  limit: optional(text),
  code: optional(text),
  cause: optional(text),
  detail: optional(text),
  traceId: optional(text),
  replayOf: optional(text),
  userAgent: optional(text),
  sampleRate: optional(fc.oneof(fc.constantFrom(0.1, 0.01), fc.double({ min: 0, max: 1 }))),
})
const anyRecord = fc.record(fieldsOf(anyText, anyMilliseconds, anyCount)) as fc.Arbitrary<AccessFields>
const plainRecord = fc.record(fieldsOf(plainText, plainMilliseconds, fc.nat())) as fc.Arbitrary<AccessFields>
const record = fc.oneof(anyRecord, plainRecord)
const time = fc.oneof(
  fc.integer({ min: -1e12, max: 1e13 }),
  fc.integer({ min: Date.UTC(2026, 0, 2, 3, 4, 5), max: Date.UTC(2026, 0, 2, 3, 4, 7) }),
  fc.double({ min: -1e12, max: 1e13, noNaN: true }),
)

function expected(values: AccessFields, level: string, timeMs: number, base: object): string {
  const [at, msg] = [new Date(timeMs).toISOString(), 'request']
  return `${JSON.stringify({ level, time: at, ...base, msg, ...values })}\n`
}

/** Returns the line that was written as bytes; undefined: the record needs a text. `before`: bytes of earlier lines. */
function written(
  json: AccessJson,
  values: AccessFields,
  level: AccessLevel,
  timeMs: number,
  before = 0,
): string | undefined {
  const line = new LineBytes()
  const bytes = Buffer.alloc(4096)
  line.bytes = bytes
  line.end = before
  json.write(line, values, level, timeMs)
  return line.isComplete ? bytes.toString('utf8', before, line.end) : undefined
}

test('has the text of JSON.stringify, for any values and times', () => {
  const base = { replicaId: 'a"b' }
  const json = new AccessJson(base)
  let complete = 0
  fc.assert(
    fc.property(record, fc.constantFrom('info', 'warn'), time, (values, level, timeMs) => {
      const text = expected(values, level, timeMs, base)
      expect(json.text(values, level, timeMs)).toBe(text)
      const bytes = written(json, values, level, timeMs, 7)
      if (bytes === undefined) return
      expect(bytes).toBe(text)
      complete += 1
    }),
    { numRuns: 1000 },
  )
  // At least a fifth of the plain records: the others have a sample rate with many digits.
  expect(complete).toBeGreaterThan(100)
})

const ORDINARY: AccessFields = {
  requestId: '0190b5a0-0000-7000-8000-000000000001',
  method: 'GET',
  host: 'shop.test',
  path: '/a?b=c~',
  status: 200,
  durationMs: 1234.5,
  bytesIn: 0,
  bytesOut: 2 ** 31 - 1,
  remoteAddress: '2001:db8::1',
}

test('writes ordinary records as bytes, with each field', () => {
  const json = new AccessJson({ replicaId: 'p1' })
  const names = {
    protocol: 'h2',
    route: 'r1',
    mount: 'shop.test/',
    service: 'caf\u00e9',
    telephoneId: 't1',
    peer: 'p2',
  }
  const times = { headMs: 0.001, backendMs: 10.01, retries: 12, sampleRate: 0.1 }
  const texts = {
    subset: 'canary',
    limit: 'l',
    code: 'c',
    cause: 'd',
    detail: 'e',
    traceId: 'f',
    replayOf: 'g',
    userAgent: 'h',
  }
  const all = { ...ORDINARY, ...names, ...times, ...texts }
  for (const values of [ORDINARY, all]) {
    // The members have the order of AccessFields, which the text has for each order of the record.
    expect(written(json, values, 'warn', 1_700_000_000_009)).toBe(
      json.text(values, 'warn', 1_700_000_000_009),
    )
  }
})

test('leaves a line to the text that does not fit', () => {
  const json = new AccessJson({})
  expect(written(json, { ...ORDINARY, path: `/${'x'.repeat(5000)}` }, 'info', 0)).toBeUndefined()
  expect(written(json, ORDINARY, 'info', 0, 4000)).toBeUndefined()
  expect(written(json, { ...ORDINARY, service: 'x'.repeat(5000) }, 'info', 0)).toBeUndefined()
})

test('does not mix up values that replace each other among the kept members', () => {
  const json = new AccessJson({})
  const names = ['', 'a', 'web', 'x-web', 'y-web', 'z-web', undefined]
  for (const route of [...names, ...names.toReversed()]) {
    for (const telephoneId of names) {
      for (const service of names) {
        const values = { ...ORDINARY, route, service, telephoneId }
        expect(written(json, values, 'info', 0)).toBe(expected(values, 'info', 0, {}))
      }
    }
  }
})
