import { expect, it } from 'vitest'
import { backendUsOf } from './backend-time.ts'

it('rounds to whole microseconds, and bounds the value by the 4 bytes of the frame', () => {
  expect([0.0004, 1.2346, 5_000_000_000, -1].map(backendUsOf)).toEqual([0, 1235, 0xffff_ffff, 0])
})
