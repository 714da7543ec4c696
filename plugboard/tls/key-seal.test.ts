import { expect, it } from 'vitest'
import { KeySeal } from './key-seal.ts'

const SECRET = 'sixteen characters'

it('opens a key that it has sealed, with the same name', () => {
  const seal = new KeySeal([SECRET])
  const sealed = seal.seal('a key', 'a.test')
  expect(sealed).not.toContain('a key')
  expect(seal.seal('a key', 'a.test')).not.toBe(sealed)
  expect(new KeySeal([SECRET]).open(sealed, 'a.test')).toBe('a key')
  expect(seal.open(sealed, 'b.test')).toBeUndefined()
})

it('does not open a key that was sealed with another secret, or was changed', () => {
  const sealed = new KeySeal([SECRET]).seal('a key', 'a.test')
  expect(new KeySeal(['another secret of mine']).open(sealed, 'a.test')).toBeUndefined()
  expect(new KeySeal().open(sealed, 'a.test')).toBeUndefined()
  const damaged = sealed.slice(0, -4) + (sealed.at(-4) === 'A' ? 'B' : 'A') + sealed.slice(-3)
  expect(new KeySeal([SECRET]).open(damaged, 'a.test')).toBeUndefined()
  expect(new KeySeal([SECRET]).open('v1:AAAA', 'a.test')).toBeUndefined()
  expect(new KeySeal([SECRET]).open('something else', 'a.test')).toBeUndefined()
})

it('stores plain text without a secret, and still reads it after a secret was added', () => {
  const plain = new KeySeal().seal('a key', 'a.test')
  expect(plain).toBe('plain:a key')
  expect(new KeySeal([SECRET]).open(plain, 'a.test')).toBe('a key')
})

it('opens with any of several secrets, and seals with the first', () => {
  const before = new KeySeal([SECRET]).seal('a key', 'a.test')
  const rotating = new KeySeal(['another secret of mine', SECRET])
  expect([rotating.rotates, rotating.open(before, 'a.test')]).toEqual([true, 'a key'])
  const again = rotating.reseal(before, 'a.test') ?? ''
  expect(new KeySeal(['another secret of mine']).open(again, 'a.test')).toBe('a key')
  // Already sealed with the first secret; damaged; sealed with an unknown secret; plain text.
  for (const sealed of [
    again,
    'v1:AAAA',
    new KeySeal(['a third one of mine']).seal('x', 'a.test'),
    'plain:a key',
  ]) {
    expect(rotating.reseal(sealed, 'a.test')).toBeUndefined()
  }
  expect(rotating.reseal(before, 'b.test')).toBeUndefined()
})
