import { expect, it } from 'vitest'
import { UuidV7 } from './uuid-v7.ts'

it('makes UUIDv7: the time first, version and variant in place', () => {
  const ids = new UuidV7(
    () => 0x017f22e279b0,
    bytes => bytes.fill(0xff),
  )
  expect(ids.next()).toBe('017f22e2-79b0-7fff-bfff-ffffffffffff')
  const zero = new UuidV7(
    () => 1,
    bytes => bytes.fill(0),
  )
  expect(zero.next()).toBe('00000000-0001-7000-8000-000000000000')
})

it('makes a different id each time, also across two fills of random bytes', () => {
  const ids = new UuidV7(() => 1)
  expect(new Set(Array.from({ length: 2000 }, () => ids.next())).size).toBe(2000)
})
