import { expect, test } from 'vitest'
import { indentJson } from './indent-json.ts'

test.each([{ a: 1, b: [true, null, 'x,{y}:"z"\\'], c: {} }, 'a"{b', [], [[1, 2], { d: [] }], 'text', 12.5])(
  'indents %j as JSON.stringify does',
  value => {
    expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2))
    expect(indentJson(JSON.stringify(value, null, 7))).toBe(JSON.stringify(value, null, 2))
  },
)

test('keeps all digits of a number', () => {
  expect(indentJson('[12345678901234567890,1.00]')).toBe('[\n  12345678901234567890,\n  1.00\n]')
})

test('indents the beginning of a text that was cut, and several texts in a row', () => {
  expect(indentJson('{"a":["x\\"y')).toBe('{\n  "a": [\n    "x\\"y')
  expect(indentJson('{"a":1}\n{"a":2}')).toBe('{\n  "a": 1\n}\n{\n  "a": 2\n}')
})

test('keeps a deep text short', () => {
  expect(indentJson('['.repeat(10_000)).length).toBeLessThan(1_000_000)
})
