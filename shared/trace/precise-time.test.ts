import { expect, it } from 'vitest'
import { PreciseTime } from './precise-time.ts'

/** A machine whose wall clock shows whole milliseconds. */
class Machine {
  trueMs = 1_800_000_000_000.9
  now = (): number => this.trueMs - 1_799_999_000_000
  stepMs = 0
  wallTime = (): number => Math.floor(this.trueMs + this.stepMs)
}

it('keeps the fraction of a millisecond', () => {
  const machine = new Machine()
  const time = new PreciseTime(machine)
  const startMs = machine.now()
  machine.trueMs += 0.25
  expect(time.at(machine.now()) - time.at(startMs)).toBeCloseTo(0.25, 3)
})

it('comes close to the true time after some readings', () => {
  const machine = new Machine()
  const time = new PreciseTime(machine)
  for (let count = 0; count < 1000; count += 1) {
    machine.trueMs += 0.37
    time.at(machine.now())
  }
  expect(Math.abs(time.at(machine.now()) - machine.trueMs)).toBeLessThan(0.05)
})

it('follows a clock that is set forwards or back', () => {
  const machine = new Machine()
  const time = new PreciseTime(machine)
  for (const stepMs of [60_000, -60_000]) {
    machine.stepMs = stepMs
    machine.trueMs += 5
    expect(Math.abs(time.at(machine.now()) - machine.wallTime())).toBeLessThan(1)
  }
})
