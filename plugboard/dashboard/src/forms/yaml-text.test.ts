import { expect, test } from 'vitest'
import * as yaml from 'yaml'
import { removedKeys } from './removed-keys.ts'
import { readText, valueAt, withValue } from './yaml-text.ts'

const TEXT = `# the shop
mount: shop.example.com # its host
options:
  access:
    allow: [10.0.0.0/8] # the office
    deny:
      - 10.9.9.9
`
const parsed = (text: string): object => {
  const read = readText(text, yaml)
  return read.kind === 'document' ? read.value : {}
}

test('a changed value keeps the comments of all other values, and its own', () => {
  const changed = withValue(TEXT, ['mount'], 'www.example.com', yaml)
  expect(changed).toContain('mount: www.example.com # its host')
  expect(changed).toContain('# the shop')
  expect(changed).toContain('# the office')
})

test('a new value gets the objects around it, also in the place of an empty value', () => {
  for (const text of ['', 'options:\n', 'options: {}\n', 'options: 5\n']) {
    const changed = withValue(text, ['options', 'redirect', 'to'], 'https://x.test/', yaml)
    expect(parsed(changed)).toEqual({ options: { redirect: { to: 'https://x.test/' } } })
  }
})

test('a list replaces a list', () => {
  const changed = withValue(TEXT, ['options', 'access', 'deny'], ['192.0.2.1', '192.0.2.2'], yaml)
  expect(valueAt(parsed(changed), ['options', 'access', 'deny'])).toEqual(['192.0.2.1', '192.0.2.2'])
})

test('a removed value takes the objects with it that are empty then, but no key of the first level', () => {
  const one = withValue(TEXT, ['options', 'access', 'allow'], undefined, yaml)
  expect(parsed(one)).toEqual({ mount: 'shop.example.com', options: { access: { deny: ['10.9.9.9'] } } })
  const both = withValue(one, ['options', 'access', 'deny'], undefined, yaml)
  expect(parsed(both)).toEqual({ mount: 'shop.example.com', options: {} })
  expect(withValue(both, ['options', 'cors', 'origins'], undefined, yaml)).toBe(both)
})

test('a text that is not an object has a problem', () => {
  expect(readText('', yaml)).toEqual({ kind: 'document', value: {} })
  for (const text of ['- a', 'plain', 'a: [', 'a: 1\na: 2'])
    expect(readText(text, yaml).kind, text).toBe('problem')
})

test('a patch replaces each value as a whole, and names removed keys', () => {
  const before = { mount: 'a.test', options: { access: { allow: ['::1'], deny: ['::2'] }, hsts: false } }
  const after = { mount: 'b.test', options: { access: { allow: ['::1'] } } }
  expect(removedKeys(before, after, ['options'])).toEqual({
    mount: 'b.test',
    options: { access: { allow: ['::1'] }, hsts: null },
  })
  expect(removedKeys(before, { mount: 'b.test' }, ['options'])).toEqual({
    mount: 'b.test',
    options: { access: null, hsts: null },
  })
  expect(removedKeys({ a: { b: 1, c: 2 }, d: 1 }, { a: { b: 1 } })).toEqual({ a: { b: 1 }, d: null })
})
