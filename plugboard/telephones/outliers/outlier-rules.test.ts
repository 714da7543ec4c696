import { describe, expect, it } from 'vitest'
import { failsInARow, failsMore } from './outlier-rules.ts'
import { newWatch, type WatchedProcess } from './watched-process.ts'

/** `rest`: the results of the rest of the pool since the first failure. `successStartMs`: of its last success. */
function rowOf(
  run: number,
  rest: { total: number; failed: number; successStartMs?: number },
  refusedRun = 0,
): boolean {
  const watch = { ...newWatch(), run, refusedRun, runSinceMs: 5000, totalBefore: 1000, failedBefore: 500 }
  const resultsTotal = 1000 + run + rest.total
  const resultsFailed = 500 + run + rest.failed
  const pool = { resultsTotal, resultsFailed, successStartMs: rest.successStartMs ?? 5001 }
  return failsInARow(watch, pool, 5)
}

function results(total: number, errors: number): WatchedProcess {
  const watch = newWatch()
  for (let index = 0; index < total; index += 1) watch.window.add(index < errors, 1000)
  return watch
}

describe('failures in a row', () => {
  it('count from the configured number on', () => {
    expect(rowOf(4, { total: 40, failed: 0 })).toBe(false)
    expect(rowOf(5, { total: 40, failed: 0 })).toBe(true)
  })

  it('do not count while the rest of the pool has no results to compare with', () => {
    expect(rowOf(50, { total: 0, failed: 0 })).toBe(false)
    expect(rowOf(50, { total: 4, failed: 0 })).toBe(false)
  })

  it('do not count when all processes fail alike', () => {
    expect(rowOf(500, { total: 500, failed: 500 })).toBe(false)
  })

  it('must be more than chance can cause when the rest of the pool fails too', () => {
    expect(rowOf(29, { total: 200, failed: 100 })).toBe(false)
    expect(rowOf(30, { total: 200, failed: 100 })).toBe(true)
    expect(rowOf(12, { total: 200, failed: 40 })).toBe(false)
    expect(rowOf(13, { total: 200, failed: 40 })).toBe(true)
  })

  it('need one success of the rest when the connections were refused, because no request causes that', () => {
    expect(rowOf(5, { total: 6, failed: 5 }, 5)).toBe(true)
    expect(rowOf(5, { total: 6, failed: 5 }, 4)).toBe(false)
  })

  it('of refused connections do not count until an attempt that started later has succeeded', () => {
    expect(rowOf(5, { total: 6, failed: 5, successStartMs: 5000 }, 5)).toBe(false)
  })
})

describe('error responses', () => {
  it('count from 20 results and half of them on', () => {
    const others = [results(20, 0)]
    expect(failsMore(results(19, 19), others, 1000)).toBe(false)
    expect(failsMore(results(20, 9), others, 1000)).toBe(false)
    expect(failsMore(results(20, 10), others, 1000)).toBe(true)
  })

  it('do not count when the rest of the pool has many errors or few results', () => {
    expect(failsMore(results(20, 20), [results(100, 20)], 1000)).toBe(true)
    expect(failsMore(results(20, 20), [results(100, 21)], 1000)).toBe(false)
    expect(failsMore(results(20, 20), [results(19, 0)], 1000)).toBe(false)
    expect(failsMore(results(20, 20), [], 1000)).toBe(false)
  })

  it('of other failing processes do not protect a process', () => {
    const failing = Array.from({ length: 4 }, () => results(100, 100))
    expect(failsMore(results(100, 100), [...failing, results(100, 0)], 1000)).toBe(true)
    expect(failsMore(results(100, 100), failing, 1000)).toBe(false)
  })

  it('of more than 10 seconds ago do not count', () => {
    const watch = results(20, 20)
    const others = [results(100, 0)]
    expect(failsMore(watch, others, 10_900)).toBe(true)
    expect(failsMore(watch, others, 11_000)).toBe(false)
  })
})
