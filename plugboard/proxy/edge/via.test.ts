import { expect, it } from 'vitest'
import { Via } from './via.ts'

const via = new Via(['plugboard-new', 'plugboard-old'])

it('sends the first name, with the version in which the message was received', () => {
  expect([via.http10, via.http11, via.http2, via.response]).toEqual([
    '1.0 plugboard-new',
    '1.1 plugboard-new',
    '2.0 plugboard-new',
    '1.1 plugboard-new',
  ])
})

it.each([
  ['1.1 plugboard-new', true],
  ['1.0 a, HTTP/2.0 plugboard-old (comment), 1.1 b', true],
  ['1.1 plugboard', false],
  ['1.1 plugboard-other', false],
  ['', false],
])('finds its own names in %j: %s', (value, own) => {
  expect(via.holds(value)).toBe(own)
})
