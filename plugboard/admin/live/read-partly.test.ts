import { expect, it } from 'vitest'
import { z } from 'zod'
import { readPartly } from './read-partly.ts'

const state = z.enum(['open', 'closed'])
const schema = z.object({
  items: z.array(z.object({ name: z.string(), state, marks: z.array(state).default([]) })),
  breaker: z.object({ state }).nullable(),
  more: z.object({ state }).optional(),
  byName: z.record(z.string(), state),
})
const whole = {
  items: [
    { name: 'a', state: 'open', marks: ['closed'] },
    { name: 'b', state: 'closed', marks: [] },
  ],
  breaker: { state: 'open' },
  more: { state: 'closed' },
  byName: { x: 'open' },
}

it('leaves out the elements with unknown values, and keeps the others in their order', () => {
  const items = ['open', 'newer', 'closed', 'newer', 'open'].map((each, index) => ({
    name: String(index),
    state: each,
  }))
  const read = readPartly(schema, { ...whole, items })
  expect(read?.isPartial).toBe(true)
  expect(read?.value.items.map(({ name }) => name)).toEqual(['0', '2', '4'])
  expect(read?.value.breaker).toEqual({ state: 'open' })
})

it('leaves out the smallest part: an element of an inner list, a nullable value, an optional value, an entry', () => {
  const [first, second] = whole.items
  const value = {
    items: [{ ...first, marks: ['newer', 'open'] }, second],
    breaker: { state: 'newer' },
    more: { state: 'newer' },
    byName: { x: 'newer', y: 'closed' },
  }
  const before = structuredClone(value)
  expect(readPartly(schema, value)).toEqual({
    value: { items: [{ ...first, marks: ['open'] }, second], breaker: null, byName: { y: 'closed' } },
    isPartial: true,
  })
  expect(value).toEqual(before)
})

it('returns a value that fits as a whole, and undefined when a needed part is wrong', () => {
  expect(readPartly(schema, whole)).toEqual({ value: whole, isPartial: false })
  expect(readPartly(schema, { ...whole, items: 'none' })).toBeUndefined()
  expect(readPartly(schema, null)).toBeUndefined()
  expect(readPartly(z.object({ state }), { state: 'newer' })).toBeUndefined()
})
