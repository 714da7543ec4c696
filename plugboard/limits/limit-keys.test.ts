import { expect, test } from 'vitest'
import { compiledParts, hashOfParts, joined, type KeyFacts, ruleKey } from './limit-keys.ts'

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
