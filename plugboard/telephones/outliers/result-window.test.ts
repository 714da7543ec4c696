import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ResultWindow } from './result-window.ts'

it('counts the results of the last ten seconds, as a list of all results does', () => {
  const result = fc.record({ gapMs: fc.oneof(fc.nat(2500), fc.nat(30_000)), isError: fc.boolean() })
  fc.assert(
    fc.property(fc.array(result, { maxLength: 60 }), results => {
      const window = new ResultWindow()
      const all: { atMs: number; isError: boolean }[] = []
      let nowMs = 123
      for (const { gapMs, isError } of results) {
        nowMs += gapMs
        window.add(isError, nowMs)
        all.push({ atMs: nowMs, isError })
        const slot = Math.floor(nowMs / 1000)
        const recent = all.filter(({ atMs }) => slot - Math.floor(atMs / 1000) < 10)
        expect([window.total, window.errors]).toEqual([
          recent.length,
          recent.filter(each => each.isError).length,
        ])
      }
    }),
  )
})

it('is empty after ten seconds without a result, and after it is cleared', () => {
  const window = new ResultWindow()
  window.add(true, 1000)
  window.advance(10_999)
  expect([window.total, window.errors]).toEqual([1, 1])
  window.advance(11_000)
  expect([window.total, window.errors]).toEqual([0, 0])
  window.add(true, 11_500)
  window.clear()
  expect([window.total, window.errors]).toEqual([0, 0])
})
