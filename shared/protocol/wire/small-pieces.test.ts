// Small pieces that wait: their cost, and that their bytes stay the same.

import { expect, it } from 'vitest'
import { isPattern, patternBytes } from '../../../test/support/pattern.ts'
import { SmallPieces, withoutWaste } from './small-pieces.ts'

it('joins pieces in their order, and reports when there are enough', () => {
  const pieces = new SmallPieces()
  let bytes = 0
  while (!pieces.add(patternBytes(bytes, 7))) bytes += 7
  expect(pieces.bytes).toBe(bytes + 7)
  expect(pieces.bytes).toBe(16_387)
  expect(isPattern(pieces.joined(), 0)).toBe(true)
})

it('does not change pieces that were taken when more pieces are added', () => {
  const pieces = new SmallPieces()
  pieces.add(Buffer.from('first'))
  const joined = pieces.joined()
  for (let count = 0; count < 1000; count += 1) pieces.add(Buffer.from('later'))
  expect(joined.toString()).toBe('first')
  expect(pieces.joined().subarray(0, 10).toString()).toBe('firstlater')
})

it('copies a piece that is a small part of its buffer, and no other', () => {
  const message = Buffer.allocUnsafeSlow(1000)
  const large = message.subarray(0, 250)
  expect(withoutWaste(large)).toBe(large)
  const small = withoutWaste(message.subarray(0, 249))
  expect([small.length, small.buffer.byteLength]).toEqual([249, 249])
  expect(small.equals(message.subarray(0, 249))).toBe(true)
})
