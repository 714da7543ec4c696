import { expect, test } from 'vitest'
import { diffOf } from './change-text.ts'

const texts = (before: object | null, after: object | null) => diffOf(before, after).map(({ text }) => text)

test('has one line for each changed value, by its path, without the version', () => {
  expect(
    texts(
      { version: 1, policy: { retries: 1, hold: { ms: 5 } }, tags: ['a'] },
      { version: 2, policy: { retries: 2, hold: { ms: 5 } }, tags: ['a', 'b'] },
    ),
  ).toEqual(['- policy.retries: 1', '+ policy.retries: 2', '- tags: ["a"]', '+ tags: ["a","b"]'])
})

test('compares the members of a list by their names, in any order', () => {
  const limit = (name: string, max: number) => ({ name, max })
  expect(
    texts({ limits: [limit('a', 1), limit('b', 2)] }, { limits: [limit('b', 3), limit('a', 1)] }),
  ).toEqual(['- limits.b.max: 2', '+ limits.b.max: 3'])
})

test('compares the members of a list without names by their numbers', () => {
  expect(texts({ rules: [{ to: 1 }] }, { rules: [{ to: 1 }, { to: 2 }] })).toEqual(['+ rules.2.to: 2'])
  const same = (to: number) => [
    { name: 'x', to: 1 },
    { name: 'x', to },
  ]
  expect(texts({ rules: same(2) }, { rules: same(3) })).toEqual(['- rules.2.to: 2', '+ rules.2.to: 3'])
})
