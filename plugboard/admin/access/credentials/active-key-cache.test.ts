import { expect, test } from 'vitest'
import { ManualClock } from '../../../../test/support/manual-clock.ts'
import { hashOf } from '../api-key-format.ts'
import { ActiveKeyCache } from './active-key-cache.ts'

function setUp() {
  const clock = new ManualClock()
  const keys = new Map([['a', hashOf('key a')]])
  const loads: number[] = []
  const list = new ActiveKeyCache({
    clock,
    load: () => {
      loads.push(clock.now())
      return Promise.resolve(new Map(keys))
    },
  })
  return { clock, keys, loads, list }
}

test('compares the whole key, not only its prefix', async () => {
  const { list, clock } = setUp()
  const responses = [
    list.has('a', hashOf('key a')),
    list.has('a', hashOf('key b')),
    list.has('b', hashOf('key a')),
  ]
  await clock.advanceAsync(1000)
  expect(await Promise.all(responses)).toEqual([true, false, false])
})

test('loads at most once a second for all attempts, and after the start of each attempt', async () => {
  const { list, clock, keys, loads } = setUp()
  expect(await list.has('a', hashOf('key a'))).toBe(true)
  for (let second = 1; second <= 3; second += 1) {
    const made = `key ${second}`
    const before = Array.from({ length: 1000 }, () => list.has('new', hashOf(made)))
    keys.set('new', hashOf(made))
    await clock.advanceAsync(1000)
    expect(await Promise.all(before)).not.toContain(false)
  }
  expect(loads).toEqual([1000, 2000, 3000, 4000])
})

test('rejects the waiting attempts when a load fails, and loads again for the next one', async () => {
  const { clock } = setUp()
  const outcomes = [Promise.reject(new Error('away')), Promise.resolve(new Map([['a', hashOf('key a')]]))]
  const list = new ActiveKeyCache({ clock, load: () => outcomes.shift()! })
  await expect(list.has('a', hashOf('key a'))).rejects.toThrow('away')
  const next = list.has('a', hashOf('key a'))
  await clock.advanceAsync(1000)
  expect(await next).toBe(true)
})
