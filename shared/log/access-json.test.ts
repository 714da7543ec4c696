// The access line equals the text of JSON.stringify, for any values.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accessJson } from './access-json.ts'
import type { AccessFields } from './fields.ts'

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
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), hostile)
const milliseconds = fc.oneof(
  fc.integer({ min: 0, max: 1e9 }).map(microseconds => microseconds / 1000),
  fc.integer({ min: 0, max: 2 ** 53 }).map(microseconds => microseconds / 1000),
  fc.double(),
)
const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.double())
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** In the order of the fields in the line. The type requires each field of AccessFields. */
const fields: { readonly [Name in keyof Required<AccessFields>]: fc.Arbitrary<AccessFields[Name]> } = {
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
  sampleRate: optional(fc.double({ min: 0, max: 1 })),
}
const record = fc.record(fields) as fc.Arbitrary<AccessFields>
const time = fc.oneof(
  fc.integer({ min: -1e12, max: 1e13 }),
  fc.integer({ min: Date.UTC(2026, 0, 2, 3, 4, 5), max: Date.UTC(2026, 0, 2, 3, 4, 7) }),
  fc.double({ min: -1e12, max: 1e13, noNaN: true }),
)

function expected(values: AccessFields, level: string, timeMs: number, base: object): string {
  const [at, msg] = [new Date(timeMs).toISOString(), 'request']
  return `${JSON.stringify({ level, time: at, ...base, msg, ...values })}\n`
}

test('has the text of JSON.stringify, for any values and times', () => {
  const base = { replicaId: 'a"b' }
  const line = accessJson(`,${JSON.stringify(base).slice(1, -1)}`)
  fc.assert(
    fc.property(record, fc.constantFrom('info', 'warn'), time, (values, level, timeMs) => {
      expect(line(values, level, timeMs)).toBe(expected(values, level, timeMs, base))
    }),
    { numRuns: 1000 },
  )
})

test('does not mix up values that replace each other among the kept texts', () => {
  const line = accessJson('')
  const names = ['', 'a', 'web', 'x-web', 'y-web', 'z-web']
  const ordinary = { requestId: 'r', method: 'GET', host: 'h', path: '/', status: 200, durationMs: 0.001 }
  for (const service of [...names, ...names.toReversed()]) {
    for (const telephoneId of names) {
      const values = { ...ordinary, bytesIn: 0, bytesOut: 1.5, remoteAddress: '::1', service, telephoneId }
      expect(line(values, 'info', 0)).toBe(expected(values, 'info', 0, {}))
    }
  }
})
