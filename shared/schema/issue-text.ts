// The texts of invalid values, for people. Schemas are written with zod, whose own texts name types of the programming language, such as
// "Too small: expected number to be >=1". All places that show an issue use this module. Pure: zod keeps its own setting for texts in
// `globalThis`, where a library must not change it.

import type { z } from 'zod'

type Issue = z.core.$ZodIssue

export interface PlainIssue {
  readonly path: readonly PropertyKey[]
  /** A predicate of the value at the path, such as `must be at least 1`. */
  readonly text: string
  /** True when the schema does not know the last key of the path. */
  readonly isUnknownKey: boolean
}

/** Returns the issues in plain words: one for each unknown key, and of a value with several types only those of the type that fits. */
export function plainIssues(issues: readonly Issue[]): PlainIssue[] {
  return issues.flatMap(ofFittingType).flatMap((issue): PlainIssue[] => {
    const { path } = issue
    if (issue.code === 'unrecognized_keys' && !isWritten(issue)) {
      return issue.keys.map(key => ({ path: [...path, key], text: 'is unknown', isUnknownKey: true }))
    }
    return [{ path, text: textOf(issue), isUnknownKey: false }]
  })
}

/** Returns the issues of the only type that fits the value. When several types fit, or none, returns the issue of the union. */
function ofFittingType(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const fitting = issue.errors.filter(branch => !branch.some(isOfWholeValue))
  const [only] = fitting
  if (only === undefined || fitting.length > 1) return [issue]
  return only.map(each => ({ ...each, path: [...issue.path, ...each.path] })).flatMap(ofFittingType)
}

const isOfWholeValue = ({ code, path }: Issue): boolean =>
  path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')

/** True when the schema states the text itself. */
const isWritten = ({ message }: Issue): boolean => !/^(?:Invalid|Too|Unrecognized)\b/.test(message)

function textOf(issue: Issue): string {
  if (isWritten(issue)) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'is required' : typeText(issue.expected)
    case 'invalid_value':
      return `must be ${choice(issue.values.map(value => JSON.stringify(value)))}`
    case 'too_small':
      return boundText(issue.origin, issue.minimum, issue.exact === true, SMALLEST[inclusion(issue)])
    case 'too_big':
      return boundText(issue.origin, issue.maximum, issue.exact === true, LARGEST[inclusion(issue)])
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return formatText(issue)
    case 'invalid_union':
      return unionText(issue)
    case 'invalid_key':
      return `is not a valid name: it ${issue.issues.map(textOf).join(', and ')}`
    default:
      return 'is not valid'
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'must be a string',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  array: 'must be a list',
  tuple: 'must be a list',
  object: 'must be an object',
  record: 'must be an object',
  date: 'must be a date',
  null: 'must be null',
  never: 'must be absent',
  nonoptional: 'is required',
}

const typeText = (expected: string): string => TYPES[expected] ?? `must be of the type ${expected}`

interface Bound {
  readonly length: string
  readonly value: string
}
const SMALLEST = {
  inclusive: { length: 'at least', value: 'at least' },
  exclusive: { length: 'more than', value: 'greater than' },
} as const satisfies Record<string, Bound>
const LARGEST = {
  inclusive: { length: 'at most', value: 'at most' },
  exclusive: { length: 'fewer than', value: 'less than' },
} as const satisfies Record<string, Bound>

const inclusion = ({ inclusive }: { readonly inclusive?: boolean | undefined }): 'inclusive' | 'exclusive' =>
  inclusive === false ? 'exclusive' : 'inclusive'

/** The things that a value of this origin has a number of. Other origins are compared by their value. */
const UNITS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
  set: ['item', 'items'],
  map: ['entry', 'entries'],
  object: ['entry', 'entries'],
  record: ['entry', 'entries'],
  file: ['byte', 'bytes'],
}

function boundText(origin: string, bound: number | bigint, isExact: boolean, words: Bound): string {
  const units = UNITS[origin]
  if (units === undefined) {
    const value = origin === 'date' ? new Date(Number(bound)).toISOString() : String(bound)
    return `must be ${isExact ? 'exactly' : words.value} ${value}`
  }
  return `must have ${isExact ? 'exactly' : words.length} ${bound} ${Number(bound) === 1 ? units[0] : units[1]}`
}

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'a time such as 2026-11-20T12:00:00.000Z',
  url: 'a URL',
  guid: 'a UUID',
}

function formatText({ format, pattern }: Extract<Issue, { code: 'invalid_format' }>): string {
  const name = FORMATS[format]
  if (name !== undefined) return `must be ${name}`
  return pattern === undefined ? `must be of the form ${format}` : `must match the pattern ${pattern}`
}

function unionText(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  if (issue.inclusive !== false && issue.options !== undefined && issue.options.length > 0) {
    return `must be ${choice(issue.options.map(value => JSON.stringify(value)))}`
  }
  const texts = [...new Set(issue.errors.flatMap(branch => branch.filter(isOfWholeValue).map(textOf)))]
  if (texts.length === 0) return 'is not valid'
  const values = texts.flatMap(text => (text.startsWith('must be ') ? [text.slice('must be '.length)] : []))
  return values.length === texts.length ? `must be ${choice(values)}` : choice(texts)
}

/** Returns `a`, `a or b`, or `a, b or c`. */
function choice(texts: readonly string[]): string {
  const last = texts.at(-1) ?? 'absent'
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} or ${last}`
}
