import { expect, it } from 'vitest'
import { checkClock } from './check-clock.ts'

function lineOf(plugboardTimeMs: number | undefined, nowMs: number): string {
  const lines: string[] = []
  checkClock(plugboardTimeMs, nowMs, (mark, text) => lines.push(`${mark} ${text}`))
  return lines.join()
}

it('accepts a difference within the accuracy of the time that Plugboard sends', () => {
  expect(lineOf(10_000, 13_000)).toMatch(/^good clock/)
  expect(lineOf(10_000, 8_000)).toMatch(/^good clock/)
})

it('warns about a larger difference, with its direction', () => {
  expect(lineOf(10_000, 3_700_000)).toMatch(/^warn clock: this machine is .+ ahead of Plugboard/)
  expect(lineOf(100_000, 10_000)).toMatch(/^warn clock: this machine is .+ behind Plugboard/)
})

it('reports an unknown difference for a Plugboard that sends no time', () => {
  expect(lineOf(undefined, 0)).toMatch(/^warn clock: .+ unknown/)
})
