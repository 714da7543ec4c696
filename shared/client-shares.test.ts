import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ClientShares, shareOf } from './client-shares.ts'

describe('the share of a capacity', () => {
  it.each([
    [512, 75, 384],
    [10, 75, 7],
    [3, 75, 2],
    [2, 75, 1],
    [1, 75, 1],
    [100, 1, 1],
    [512, 100, 512],
  ])('of %i at %i %% is %i', (capacity, percent, share) => {
    expect(shareOf(capacity, percent)).toBe(share)
  })
})

it('refuses a client at its share, and no other client', () => {
  const shares = new ClientShares(75)
  for (let taken = 0; taken < 3; taken += 1) {
    expect(shares.allows('a', 4)).toBe(true)
    shares.add('a')
  }
  expect([shares.allows('a', 4), shares.allows('b', 4), shares.held]).toEqual([false, true, 3])
  shares.remove('a')
  expect(shares.allows('a', 4)).toBe(true)
})

it('does not limit an unknown client, and at 100 % no client at all', () => {
  const shares = new ClientShares(75)
  const off = new ClientShares(100)
  for (let taken = 0; taken < 9; taken += 1) {
    shares.add('')
    off.add('a')
  }
  expect([shares.allows('', 4), off.allows('a', 4)]).toEqual([true, true])
})

it('lists the holders only when a share can have been reached', () => {
  const held: string[] = []
  let asked = 0
  const shares = new ClientShares(75, () => {
    asked += 1
    return held
  })
  const take = (client: string) => {
    held.push(client)
    shares.add(client)
  }
  for (let taken = 0; taken < 74; taken += 1) {
    expect(shares.allows('a', 100)).toBe(true)
    take('a')
  }
  expect(asked).toBe(0)
  take('b')
  // 74 of "a", one of "b".
  expect([shares.allows('a', 100), shares.allows('b', 100), asked]).toEqual([true, true, 1])
  take('a')
  expect([shares.allows('a', 100), shares.allows('b', 100), asked]).toEqual([false, true, 1])
  while (held.length > 36) shares.remove(held.pop() as string)
  // Counting has stopped. It starts again from `holders` later.
  for (let taken = 0; taken < 40; taken += 1) take('c')
  expect([shares.allows('c', 100), asked]).toEqual([true, 2])
})

it('keeps each client within its share in any order of takes and releases, and accepts a client below it', () => {
  const step = fc.tuple(fc.constantFrom('a', 'b', 'c', ''), fc.boolean())
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(step, { maxLength: 200 }),
      (capacity, percent, steps) => {
        const held: string[] = []
        const shares = new ClientShares(percent, () => held)
        const countOf = (client: string) => held.filter(each => each === client).length
        for (const [client, takes] of steps) {
          if (!takes) {
            const index = held.indexOf(client)
            if (index === -1) continue
            held.splice(index, 1)
            shares.remove(client)
          } else if (held.length < capacity) {
            const free = percent === 100 || client === '' || countOf(client) < shareOf(capacity, percent)
            expect(shares.allows(client, capacity)).toBe(free)
            if (!free) continue
            held.push(client)
            shares.add(client)
          }
        }
        expect(shares.held).toBe(held.length)
      },
    ),
  )
})
