import { describe, expect, it, test } from 'vitest'
import { z } from 'zod'
import { plainIssues } from './issue-text.ts'
import { recordOf } from './record-of.ts'

/** Returns `path: text` of each issue; the path of the value itself is empty. */
function textsOf(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value)
  return plainIssues(error?.issues ?? []).map(({ path, text }) => [...path.map(String), text].join(': '))
}

const KINDS = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('a'), count: z.int() }),
  z.strictObject({ kind: z.literal('b') }),
])

test.each<[string, z.ZodType, unknown, string]>([
  ['a missing key', z.object({ name: z.string() }), {}, 'name: is required'],
  ['a string', z.string(), 3, 'must be a string'],
  ['a number', z.number(), '3', 'must be a number'],
  ['a number that is not finite', z.number(), Number.NaN, 'must be a number'],
  ['a whole number', z.int(), 7.5, 'must be a whole number'],
  ['a whole number beyond the safe ones', z.int(), 2 ** 60, 'must be at most 9007199254740991'],
  ['a boolean', z.boolean(), 'yes', 'must be true or false'],
  ['a list', z.array(z.string()), {}, 'must be a list'],
  ['a tuple', z.tuple([z.string()]), 'a', 'must be a list'],
  ['a tuple with too many items', z.tuple([z.string()]), ['a', 'b'], 'must have at most 1 item'],
  ['an object', z.strictObject({}), [], 'must be an object'],
  ['a record', z.record(z.string(), z.string()), 3, 'must be an object'],
  ['null', z.null(), 3, 'must be null'],
  ['a forbidden key', z.object({ old: z.never().optional() }), { old: 1 }, 'old: must be absent'],
  ['a literal', z.literal(1), 2, 'must be 1'],
  ['an enum', z.enum(['a', 'b', 'c']), 'd', 'must be "a", "b" or "c"'],
  ['a short string', z.string().min(2), 'a', 'must have at least 2 characters'],
  ['an empty string', z.string().min(1), '', 'must have at least 1 character'],
  ['a long string', z.string().max(3), 'abcd', 'must have at most 3 characters'],
  ['a string of one length', z.string().length(2), 'abc', 'must have exactly 2 characters'],
  ['a short list', z.array(z.int()).min(1), [], 'must have at least 1 item'],
  ['a long list', z.array(z.int()).max(2), [1, 2, 3], 'must have at most 2 items'],
  ['a low number', z.number().min(1), 0, 'must be at least 1'],
  ['a high number', z.number().max(5), 6, 'must be at most 5'],
  ['an excluded low bound', z.number().gt(0), 0, 'must be greater than 0'],
  ['an excluded high bound', z.number().lt(1), 1, 'must be less than 1'],
  ['a date', z.date().min(new Date(0)), new Date(-1), 'must be at least 1970-01-01T00:00:00.000Z'],
  ['a multiple', z.number().multipleOf(5), 6, 'must be a multiple of 5'],
  ['a pattern', z.string().regex(/^a+$/), 'b', 'must match the pattern /^a+$/'],
  ['a pattern with a text', z.string().regex(/^a+$/, 'has other letters'), 'b', 'has other letters'],
  ['a time', z.iso.datetime(), 'noon', 'must be a time such as 2026-11-20T12:00:00.000Z'],
  ['a URL', z.url(), 'here', 'must be a URL'],
  ['a UUID', z.guid(), 'x', 'must be a UUID'],
  ['a coerced date', z.coerce.date(), 'noon', 'must be a date'],
  ['a refinement', z.string().refine(() => false), 'a', 'is not valid'],
  ['a refinement with a text', z.string().refine(() => false, 'is taken'), 'a', 'is taken'],
  ['a custom type', z.custom<string>(() => false), 'a', 'is not valid'],
  ['an unknown key', z.strictObject({}), { colour: 1 }, 'colour: is unknown'],
  [
    'a key of a record',
    z.record(z.string().max(2), z.int()),
    { abc: 1 },
    'abc: is not a valid name: it must have at most 2 characters',
  ],
  [
    'a foreign key',
    recordOf(z.string(), z.int()),
    JSON.parse('{"__proto__": 1}'),
    '__proto__: is a name that cannot be used',
  ],
  ['an element', z.array(z.int()), [1, 'a'], '1: must be a number'],
  ['no type of a union', z.union([z.string(), z.number()]), true, 'must be a string or a number'],
  ['the fitting type of a union', z.union([z.literal('latest'), z.number().min(1)]), 0, 'must be at least 1'],
  [
    'a key in the fitting type',
    z.union([z.string(), z.strictObject({ a: z.int() })]),
    { a: 'x' },
    'a: must be a number',
  ],
  ['a nullable value', z.string().nullable(), 3, 'must be a string'],
  ['a discriminator', KINDS, { kind: 'c' }, 'kind: must be "a" or "b"'],
  ['a member of a discriminated union', KINDS, { kind: 'a', count: 'x' }, 'count: must be a number'],
])('%s', (_, schema, value, expected) => {
  expect(textsOf(schema, value)).toEqual([expected])
})

describe('several issues', () => {
  it('has one for each unknown key, and keeps the order', () => {
    const schema = z.strictObject({ q: z.string().max(1) })
    expect(textsOf(schema, { q: 'ab', x: 1, y: 2 })).toEqual([
      'q: must have at most 1 character',
      'x: is unknown',
      'y: is unknown',
    ])
  })
})

it('shows no text of zod', () => {
  const schema = z.object({
    a: z.string().min(3),
    b: z.union([z.int(), z.enum(['x'])]),
    c: z.url(),
    d: z.tuple([]),
  })
  const texts = textsOf(schema, { a: '', b: {}, c: 1, d: [1] }).join('\n')
  expect(texts).not.toMatch(/expected|received|Invalid|Too /)
})
