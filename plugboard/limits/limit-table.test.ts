import { expect, test } from 'vitest'
import { randomInteger, runSeed, seededRandom } from '../../test/support/seeded-random.ts'
import { LimitTable } from './limit-table.ts'

test('keeps the facts of each key while it grows', () => {
  const table = new LimitTable(10_000)
  for (let key = 0; key < 5000; key += 1) {
    const slot = table.add(key * 7919, 0)
    table.setFullAtMs(slot, key)
    table.addAdmitted(slot, 2 * key)
  }
  expect(table.size).toBe(5000)
  for (let key = 0; key < 5000; key += 1) {
    const slot = table.find(key * 7919)
    expect([table.keyOf(slot), table.fullAtMs(slot), table.admitted(slot)]).toEqual([
      key * 7919,
      key,
      2 * key,
    ])
  }
  expect(table.find(1)).toBe(-1)
})

test('a full table evicts the key whose quota is restored first, and no other', () => {
  const table = new LimitTable(3)
  for (const [key, fullAtMs] of [
    [1, 300],
    [2, 100],
    [3, 200],
  ] as const) {
    table.setFullAtMs(table.add(key, 0), fullAtMs)
  }
  table.add(4, 50)
  expect([1, 2, 3, 4].map(key => table.find(key) !== -1)).toEqual([true, false, true, true])
  expect([table.size, table.evictions]).toEqual([3, 1])
  // The time of key 4 is not set, so it is 0: its whole quota is available, and its eviction loses no count.
  table.add(5, 50)
  expect([1, 3, 4, 5].map(key => table.find(key) !== -1)).toEqual([true, true, false, true])
  expect(table.evictions).toBe(1)
})

test('finds all keys after random additions and evictions, as a map does', () => {
  const seed = runSeed()
  const random = seededRandom(seed)
  const maxKeys = 100
  const table = new LimitTable(maxKeys)
  const twin = new Map<number, number>()
  for (let nowMs = 0; nowMs < 4000; nowMs += 1) {
    // Few different homes, so that the searches in the index are long.
    const key = randomInteger(random, 0, 400) * 2 ** randomInteger(random, 0, 34)
    let slot = table.find(key)
    expect(slot !== -1, `seed ${seed}, step ${nowMs}`).toBe(twin.has(key))
    if (slot === -1) {
      if (twin.size === maxKeys) {
        const first = Math.min(...twin.values())
        const before = new Map(twin)
        slot = table.add(key, nowMs)
        const gone = [...before].filter(([each]) => table.find(each) === -1)
        expect(
          gone.map(([, fullAtMs]) => fullAtMs),
          `seed ${seed}, step ${nowMs}`,
        ).toEqual([first])
        twin.delete(gone[0]![0])
      } else {
        slot = table.add(key, nowMs)
      }
    }
    const fullAtMs = Math.max(table.fullAtMs(slot), nowMs) + randomInteger(random, 1, 1000)
    table.setFullAtMs(slot, fullAtMs)
    twin.set(key, fullAtMs)
  }
  expect(table.size).toBe(twin.size)
})

test('moves few keys in the heap for one addition, also when the table becomes full, and when all keys have had requests', () => {
  const table = new LimitTable(10_000)
  let most = 0
  const add = (key: number) => {
    const before = table.corrections
    table.setFullAtMs(table.add(key, key), 1e9 + key)
    most = Math.max(most, table.corrections - before)
  }
  for (let key = 0; key < 10_100; key += 1) add(key)
  expect(most).toBeLessThanOrEqual(10)
  // The keys that were added first are restored first, so they were evicted.
  expect([table.find(99), table.find(100) === -1]).toEqual([-1, false])
  for (let slot = 0; slot < table.size; slot += 1) table.setFullAtMs(slot, 2e9 + slot)
  add(20_000)
  expect(most).toBeLessThanOrEqual(510)
})
