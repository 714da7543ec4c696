import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { Lifecycle } from './lifecycle.ts'

it('goes from loading over ready to draining, and recovers only while it is ready', () => {
  const lifecycle = new Lifecycle(new ManualClock(), 10_000)
  lifecycle.recovering = () => true
  expect(lifecycle.phase).toBe('loading')
  lifecycle.started()
  expect(lifecycle.phase).toBe('recovering')
  lifecycle.recovering = () => false
  expect(lifecycle.phase).toBe('ready')
  lifecycle.recovering = () => true
  lifecycle.drain()
  expect(lifecycle.phase).toBe('draining')
})

it('stays draining when the start ends after the stop began', () => {
  const lifecycle = new Lifecycle(new ManualClock(), 10_000)
  lifecycle.drain()
  lifecycle.started()
  expect(lifecycle.phase).toBe('draining')
})

it('has one grace period for all parts, from the first question on, and 500 ms after its end', () => {
  const clock = new ManualClock()
  const lifecycle = new Lifecycle(clock, 10_000)
  clock.advance(60_000)
  expect(lifecycle.graceMs()).toBe(10_000)
  clock.advance(7000)
  expect(lifecycle.graceMs()).toBe(3000)
  clock.advance(7000)
  expect(lifecycle.graceMs()).toBe(500)
})
