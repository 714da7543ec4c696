import { expect, it } from 'vitest'
import { asTokenId } from '../common/ids/row-ids.ts'
import { identityOf, packGeneration, unpackGeneration } from './generation.ts'

const own = (id: string, subject: string) => ({ token: { kind: 'own', id: asTokenId(id) }, subject }) as const
const outside = (issuer: string, subject: string) =>
  ({ token: { kind: 'outside', issuer, subject, id: 'x' }, subject }) as const

it('packs a generation into a text without the subject, and unpacks it', () => {
  const generation = { identity: identityOf(own('1', 'shop')), startedAtMs: 1_700_000_000_000 }
  const text = packGeneration(generation)
  expect(unpackGeneration(text)).toEqual(generation)
  expect(text).not.toContain('shop')
  // Replicas of the previous release keep at most 64 characters.
  expect(text.length).toBeLessThanOrEqual(64)
})

it.each(['', 'x', '.', 'A.b', '-1.b', `1.${'b'.repeat(64)}`, `${'1'.repeat(11)}.b`])(
  'returns undefined for %j',
  text => expect(unpackGeneration(text)).toBeUndefined(),
)

it('gives all tokens of one subject the same identity, and each issuer a different one', () => {
  const shop = identityOf(own('1', 'shop'))
  expect(identityOf(own('2', 'shop'))).toBe(shop)
  const others = [own('1', 'bank'), outside('https://a.test', 'shop'), outside('https://b.test', 'shop')]
  expect(new Set([shop, ...others.map(identityOf)]).size).toBe(4)
})
