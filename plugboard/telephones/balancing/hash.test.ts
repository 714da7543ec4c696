import { expect, it } from 'vitest'
import { seededRandom } from '../../../test/support/seeded-random.ts'
import { rendezvous, seedOf } from './hash.ts'
import { newLatency } from './peak-ewma.ts'

const process = (name: string, weight = 100) => ({
  name,
  weight,
  active: 0,
  isLocal: true,
  turn: 0,
  seed: seedOf(name),
  latency: newLatency(),
})
const tenProcesses = () => Array.from({ length: 10 }, (_, index) => process(`telephone-${index}`))
const KEYS = 20_000
const keys = (): number[] => {
  const random = seededRandom(7)
  return Array.from({ length: KEYS }, () => Math.floor(random() * 2 ** 53))
}

it('sends equal keys to one process, and spreads keys evenly', () => {
  const processes = tenProcesses()
  const counts = new Map<string, number>()
  for (const key of keys()) {
    const name = rendezvous(processes, key)?.name as string
    expect(rendezvous(processes.toReversed(), key)?.name).toBe(name)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const { name } of processes) expect((counts.get(name) ?? 0) / KEYS).toBeCloseTo(0.1, 1.5)
})

it('moves at most 12 % of the keys when one of ten processes is removed, and only those of this process', () => {
  const processes = tenProcesses()
  const rest = processes.slice(1)
  let moved = 0
  for (const key of keys()) {
    const before = rendezvous(processes, key)
    const after = rendezvous(rest, key)
    if (after === before) continue
    expect(before).toBe(processes[0])
    moved += 1
  }
  expect(moved / KEYS).toBeLessThan(0.12)
  expect(moved / KEYS).toBeGreaterThan(0.08)
})

it('follows the weights', () => {
  const processes = [process('a', 100), process('b', 300)]
  const toA = keys().filter(key => rendezvous(processes, key)?.name === 'a').length
  expect(toA / KEYS).toBeCloseTo(0.25, 1.5)
})

it('gives a process at most 1.25 times the mean load, even when all requests have one key', () => {
  const processes = tenProcesses()
  for (let count = 0; count < 1000; count += 1) (rendezvous(processes, 42) as { active: number }).active += 1
  expect(Math.max(...processes.map(({ active }) => active))).toBeLessThanOrEqual(125)
  expect(processes.map(({ active }) => active).filter(active => active === 125).length).toBeGreaterThan(6)
})

it('differs for keys that differ in the high bits only', () => {
  const processes = tenProcesses()
  const names = new Set(Array.from({ length: 50 }, (_, high) => rendezvous(processes, high * 2 ** 32)?.name))
  expect(names.size).toBeGreaterThan(5)
})
