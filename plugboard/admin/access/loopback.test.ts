import { expect, it } from 'vitest'
import { isLoopback } from './loopback.ts'

it.each([
  ['127.0.0.1', true],
  ['127.8.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['127.0.0.1.example.com', false],
  ['127.', false],
  ['10.0.0.1', false],
  ['::2', false],
  ['', false],
])('isLoopback of %s returns %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback)
})
