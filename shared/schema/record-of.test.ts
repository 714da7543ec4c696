import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordOf } from './record-of.ts'

const schema = z.strictObject({ labels: recordOf(z.string().max(20), z.string()).optional() })

test('keeps every key but __proto__, which it refuses with its place', () => {
  const labels = JSON.parse('{"constructor":"a","toString":"b","prototype":"c","":"d"}') as Record<
    string,
    string
  >
  expect(JSON.stringify(schema.parse({ labels }))).toBe(JSON.stringify({ labels }))
  const { error } = schema.safeParse({ labels: JSON.parse('{"a":"b","__proto__":"x"}') })
  expect(error?.issues).toMatchObject([{ path: ['labels', '__proto__'] }])
  expect(Object.getPrototypeOf(schema.parse({ labels: {} }).labels)).toBe(Object.prototype)
})

test('checks keys and values as z.record does', () => {
  expect(schema.parse({})).toEqual({})
  for (const labels of [{ a: 1 }, { ['x'.repeat(21)]: 'a' }, [], 'text', null]) {
    expect(schema.safeParse({ labels }).success, JSON.stringify(labels)).toBe(false)
  }
})
