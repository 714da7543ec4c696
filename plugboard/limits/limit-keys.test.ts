import { describe, expect, test } from 'vitest'
import type { KeyPart } from '../routes/rules/key-part.ts'
import {
  compiledParts,
  hashOfParts,
  joined,
  type KeyFacts,
  partValue,
  readingOnce,
  ruleKey,
} from './limit-keys.ts'

const FACTS: KeyFacts = {
  clientAddress: '192.0.2.1',
  host: 'acme.example.com',
  hostPattern: '*.example.com',
  method: 'GET',
  fields: ['Accept', '*/*', 'x-user', 'a', 'X-User', 'b'],
  identity: undefined,
}
const KEY = ruleKey('service-1', 'split')

test('the hash of the same values is the same, and differs by values, rows and names of rules', () => {
  const parts = compiledParts(['tenant', { header: 'X-User' }])
  const hash = hashOfParts(parts, FACTS, KEY)
  expect(hashOfParts(parts, { ...FACTS, clientAddress: '192.0.2.2', method: 'POST' }, KEY)).toBe(hash)
  const others = [
    hashOfParts(parts, { ...FACTS, host: 'other.example.com' }, KEY),
    hashOfParts(parts, { ...FACTS, fields: ['X-User', 'a'] }, KEY),
    hashOfParts(parts, FACTS, ruleKey('service-2', 'split')),
    hashOfParts(parts, FACTS, ruleKey('service-1', 'other')),
  ]
  expect(new Set([hash, ...others]).size).toBe(5)
})

test('an absent part counts as the client address', () => {
  const parts = compiledParts([{ cookie: 'session' }])
  const hash = hashOfParts(parts, FACTS, KEY)
  expect(hashOfParts(parts, { ...FACTS, clientAddress: '192.0.2.2' }, KEY)).not.toBe(hash)
  expect(hashOfParts(compiledParts(['address']), FACTS, KEY)).toBe(hash)
})

test('different lists of texts have different joined texts', () => {
  expect(joined(['a'])).toBe('a')
  expect(joined(['1', 'x1:y'])).not.toBe(joined(['1:x', 'y']))
})

describe('a long value', () => {
  const [part] = compiledParts([{ cookie: 'session' }]) as [KeyPart]
  const textOf = (session: string) => partValue(part, { ...FACTS, fields: ['Cookie', `session=${session}`] })

  test('is replaced by a short text of its own, so that its hash costs the same for each limit', () => {
    expect(textOf('a'.repeat(128))).toBe('a'.repeat(128))
    const texts = ['a'.repeat(129), 'a'.repeat(4096), `${'a'.repeat(4095)}b`].map(textOf)
    expect(new Set(texts).size).toBe(3)
    for (const text of texts) expect(text?.length).toBeLessThan(64)
    expect(textOf('a'.repeat(4096))).toBe(texts[1])
  })

  test('has a text that no client can send as a value of its own', () => {
    const claims = new Map<string, string>()
    const identity = { user: undefined, claim: (pointer: string) => claims.get(pointer) }
    const claimValue = () => partValue({ claim: '/sub' }, { ...FACTS, identity })
    claims.set('/sub', 'a'.repeat(4096))
    const folded = claimValue() as string
    claims.set('/sub', folded)
    expect(claimValue()).not.toBe(folded)
  })
})

test('the value of a part is read once for a request, for all rules that use it', () => {
  const read: string[] = []
  const claim = (pointer: string) => {
    read.push(pointer)
    return pointer === '/sub' ? 'ada' : undefined
  }
  const facts: KeyFacts = { ...FACTS, identity: { user: undefined, claim } }
  const readAll = () => {
    // Each limit has compiled parts of its own.
    const parts = compiledParts([{ claim: '/sub' }, { header: 'X-User' }, 'user', { claim: '/none' }])
    expect(parts.map(part => partValue(part, facts))).toEqual(['ada', 'a, b', undefined, undefined])
  }
  readingOnce(facts, () => {
    for (let rule = 0; rule < 20; rule += 1) readAll()
    // Another request within the same call has values of its own.
    expect(partValue({ claim: '/sub' }, { ...facts, identity: undefined })).toBeUndefined()
  })
  expect(read).toEqual(['/sub', '/none'])
  readingOnce({ ...facts, identity: undefined }, () => undefined)
  readAll()
  expect(read).toHaveLength(4)
})
