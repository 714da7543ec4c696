// The values of a request by which rules count, hash or split requests, and the key that they make. A key is a keyed hash, so
// that neither the memory of a replica nor the database holds addresses or credentials of clients.

import { createHash } from 'node:crypto'
import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'
import { resolveTenant } from '@vera-stack/shared/tenant.ts'
import { cookieValue } from '../common/http/cookie-value.ts'
import { addressGroup } from '../common/net/address-group.ts'
import type { KeyPart, VerifiedIdentity } from '../routes/rules/key-part.ts'
import { type HashKey, hashKey, keyedHash } from './keyed-hash.ts'

/** The facts of a request from which keys are made. */
export interface KeyFacts {
  readonly clientAddress: string
  readonly host: string
  /** The host pattern of the route. */
  readonly hostPattern: string
  readonly method: string
  /** Fields as the client sent them: name, value, name, value. */
  readonly fields: readonly string[]
  /** Undefined: the route verifies no credential. */
  readonly identity: VerifiedIdentity | undefined
}

/** Returns the key of a hash for one rule. `rule`: texts that identify the rule, for example the id of the row and a name. */
export function ruleKey(...rule: readonly string[]): HashKey {
  return hashKey(createHash('sha256').update(rule.join('\0')).digest())
}

/** Returns parts in the form that `partValue` and `hashOfParts` read: with names of fields in lower case. */
export function compiledParts(parts: readonly KeyPart[]): readonly KeyPart[] {
  return parts.map(part =>
    typeof part === 'object' && 'header' in part ? { header: part.header.toLowerCase() } : part,
  )
}

/**
 * Returns the value of a compiled part; undefined: the request has no such value. A long value is replaced by a digest, so that the
 * cost of a rule does not depend on the size of the request.
 */
export function partValue(part: KeyPart, facts: KeyFacts): string | undefined {
  switch (part) {
    case 'address':
      return addressGroup(facts.clientAddress)
    case 'host':
      return facts.host
    case 'tenant':
      return facts.hostPattern.startsWith('*.') ? resolveTenant(facts.host, facts.hostPattern) : undefined
    case 'method':
      return facts.method
    default:
      return readOnce(part, facts)
  }
}

/** A part whose value the client chooses, with any length. */
type ClientPart = Exclude<KeyPart, string> | 'user'

// The values that were read from one request. Many limits may use one cookie, and each read searches all fields. Variables of the
// module, because this runs for each request and must not allocate.
let current: KeyFacts | undefined
const readParts: ClientPart[] = []
const readValues: (string | undefined)[] = []

/** Calls `task`, within which each value of this request is read once. The values are removed at the end. Not for nested calls. */
export function readingOnce<Result>(facts: KeyFacts, task: () => Result): Result {
  current = facts
  try {
    return task()
  } finally {
    current = undefined
    readParts.length = 0
    readValues.length = 0
  }
}

function readOnce(part: ClientPart, facts: KeyFacts): string | undefined {
  if (facts !== current) return folded(read(part, facts))
  for (let index = 0; index < readParts.length; index += 1) {
    if (isSamePart(readParts[index] as ClientPart, part)) return readValues[index]
  }
  const value = folded(read(part, facts))
  readParts.push(part)
  readValues.push(value)
  return value
}

function isSamePart(left: ClientPart, right: ClientPart): boolean {
  if (typeof left === 'string' || typeof right === 'string' || left === right) return left === right
  if ('header' in left) return 'header' in right && left.header === right.header
  if ('cookie' in left) return 'cookie' in right && left.cookie === right.cookie
  return 'claim' in right && left.claim === right.claim
}

function read(part: ClientPart, facts: KeyFacts): string | undefined {
  if (part === 'user') return facts.identity?.user
  if ('header' in part) return headerValue(facts.fields, part.header)
  if ('cookie' in part) return cookieValue(facts.fields, part.cookie)
  return facts.identity?.claim(part.claim)
}

/** Longest value that is hashed as it is, in UTF-16 units. */
const MAX_PLAIN_UNITS = 128

/**
 * Returns a text of fixed length for a long value, and the value itself otherwise. The text begins with NUL, and a value that begins
 * with NUL is replaced too, so that no value of a client is equal to the text of another one.
 */
function folded(value: string | undefined): string | undefined {
  if (value === undefined || (value.length <= MAX_PLAIN_UNITS && value.charCodeAt(0) !== 0)) return value
  return `\0#${createHash('sha256').update(value, 'utf16le').digest('base64')}`
}

/** Returns the texts of several parts as one text, from which the parts can be read back. */
export function joined(values: readonly string[]): string {
  if (values.length === 1) return values[0] as string
  let text = ''
  for (const value of values) text += `${value.length}:${value}`
  return text
}

/**
 * Returns the hash of the parts of a request, an integer from 0 to 2^53 - 1. An absent part counts as the client address.
 * For rules that need a number for each request, such as a split.
 */
export function hashOfParts(parts: readonly KeyPart[], facts: KeyFacts, key: HashKey): number {
  const values = parts.map(part => partValue(part, facts) ?? addressGroup(facts.clientAddress))
  return keyedHash(joined(values), key)
}

/**
 * Returns all values of a field, joined by commas as RFC 9110, section 5.3, allows; undefined: the request has no such field.
 * `name`: in lower case.
 */
export function headerValue(fields: readonly string[], name: string): string | undefined {
  let value: string | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (!equalsIgnoringCase(fields[index] as string, name)) continue
    const line = fields[index + 1] as string
    value = value === undefined ? line : `${value}, ${line}`
  }
  return value
}
