import { type Log, silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { MemoryGuard, type MemorySystem } from './memory-guard.ts'

const GIB = 2 ** 30

function watch(system: Partial<MemorySystem>) {
  const clock = new ManualClock()
  const logged: string[] = []
  const log: Log = { ...silentLogger, error: message => logged.push(message) }
  const guard = new MemoryGuard({
    maxPercent: 50,
    system: {
      heap: () => ({ usedBytes: 1, limitBytes: GIB }),
      residentBytes: () => 1,
      containerBytes: () => 0,
      machineBytes: () => 16 * GIB,
      releaseMemory: () => undefined,
      ...system,
    },
    clock,
    log,
  })
  /** Whether memory is short after the next reading. */
  const next = (): boolean => {
    clock.advance(500)
    return guard.short
  }
  return { guard, clock, logged, next }
}

it('refuses from 90 percent of the heap limit, and takes requests again below 80', () => {
  let usedBytes = 0
  const { guard, clock, next } = watch({ heap: () => ({ usedBytes, limitBytes: 1000 }) })
  const seen: boolean[] = []
  for (usedBytes of [899, 900, 850, 800, 799, 899]) seen.push(next())
  expect(seen).toEqual([false, true, true, true, false, false])
  guard.stop()
  usedBytes = 1000
  clock.advance(5000)
  expect(guard.short).toBe(false)
})

it.each([
  ['the limit of the container', 4 * GIB, 4 * GIB],
  ['its share of the machine without a container', 0, 8 * GIB],
  ['its share of the machine when the container has no limit', 2 ** 64, 8 * GIB],
])('compares the process with %s', (_, container, limit) => {
  let resident = 0
  const { next } = watch({ residentBytes: () => resident, containerBytes: () => container })
  const seen: boolean[] = []
  for (resident of [limit * 0.89, limit * 0.9, limit * 0.81, limit * 0.79]) seen.push(next())
  expect(seen).toEqual([false, true, true, false])
})

it('survives readings that fail, keeps the last values, and reports the failure once', () => {
  let resident: number | Error = 3.7 * GIB
  let container = 4 * GIB
  const { logged, next } = watch({
    residentBytes: () => {
      if (resident instanceof Error) throw resident
      return resident
    },
    containerBytes: () => container,
  })
  expect(next()).toBe(true)
  resident = new Error('EMFILE: too many open files, uv_resident_set_memory')
  container = 0
  expect([next(), next()]).toEqual([true, true])
  resident = 1
  expect(next()).toBe(false)
  expect(logged).toEqual([
    'memory is near its limit, new requests are refused',
    'the memory of the process could not be read, the last value is used',
  ])
})

it('accepts requests when only garbage exceeds the limit, because it collects the garbage first', () => {
  let resident = 8 * GIB
  let collections = 0
  const releaseMemory = () => {
    collections += 1
    resident = 2 * GIB
  }
  const { logged, next } = watch({ residentBytes: () => resident, releaseMemory })
  expect([next(), collections, logged]).toEqual([false, 1, []])
  next()
  resident = 8 * GIB
  expect([next(), collections]).toEqual([false, 2])
})

it('collects again while memory is short, and so detects the end of the shortage', () => {
  let held = 8 * GIB
  let resident = held
  let collections = 0
  const releaseMemory = () => {
    collections += 1
    resident = held
  }
  const { next } = watch({ residentBytes: () => resident, releaseMemory })
  expect(next()).toBe(true)
  held = 2 * GIB
  expect([next(), next(), collections]).toEqual([true, false, 2])
})

it('spends at most a twentieth of its time on collections', () => {
  let collections = 0
  const { clock, next } = watch({
    residentBytes: () => 8 * GIB,
    releaseMemory: () => {
      collections += 1
      clock.advance(300)
    },
  })
  next()
  for (let passedMs = 0; passedMs < 5500; passedMs += 500) next()
  expect(collections).toBe(1)
  for (let passedMs = 0; passedMs < 1000; passedMs += 500) next()
  expect(collections).toBe(2)
})
