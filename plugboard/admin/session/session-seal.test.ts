import { expect, test } from 'vitest'
import { SessionSeal } from './session-seal.ts'

const claims = { keyPrefix: 'vsk_0123456789', expiresAt: 1_800_000_000 }
const ONE = 'a secret of the cluster'
const TWO = 'another secret of the cluster'

test('opens what it has sealed', () => {
  const seal = new SessionSeal()
  expect(seal.open(seal.seal(claims))).toEqual(claims)
})

test('opens the values of all replicas with the same secrets, also while these are replaced', () => {
  const value = new SessionSeal([ONE]).seal(claims)
  expect(new SessionSeal([ONE]).open(value)).toEqual(claims)
  expect(new SessionSeal([TWO, ONE]).open(value)).toEqual(claims)
  expect(new SessionSeal([TWO]).open(value)).toBeUndefined()
})

test('without secrets, another process does not open the value', () => {
  expect(new SessionSeal().open(new SessionSeal().seal(claims))).toBeUndefined()
})

test('opens no value that somebody has changed', () => {
  const seal = new SessionSeal([ONE])
  const value = seal.seal(claims)
  for (let at = 0; at < value.length; at += 1) {
    const other = value[at] === 'A' ? 'B' : 'A'
    expect(seal.open(value.slice(0, at) + other + value.slice(at + 1))).toBeUndefined()
    expect(seal.open(value.slice(0, at))).toBeUndefined()
  }
  expect(seal.open(`${value}A`)).toBeUndefined()
  expect(seal.open('')).toBeUndefined()
})
