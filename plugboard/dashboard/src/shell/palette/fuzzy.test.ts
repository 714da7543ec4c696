import { expect, test } from 'vitest'
import { fuzzyScore } from './fuzzy.ts'

const ranked = (query: string, texts: readonly string[]) =>
  texts
    .flatMap(text => {
      const score = fuzzyScore(query, text)
      return score === undefined ? [] : [{ text, score }]
    })
    .sort((one, other) => other.score - one.score)
    .map(({ text }) => text)

test('puts a text that begins with the query before one that contains it, and before one with gaps', () => {
  expect(ranked('shop', ['s-h-o-p', 'workshop', 'shop.test/api', 'shop', 'other'])).toEqual([
    'shop',
    'shop.test/api',
    'workshop',
    's-h-o-p',
  ])
})

test('finds the letters of several words in their order, and prefers beginnings of words', () => {
  expect(ranked('Shop API', ['shop.test/api', 'api.test/shop'])).toEqual(['shop.test/api'])
  expect(ranked('sta', ['a sXtXa', 'some test app'])[0]).toBe('some test app')
})

test('prefers the beginning of a word, for a whole query and for a letter', () => {
  expect(ranked('shop', ['xshop', 'my-shop'])[0]).toBe('my-shop')
  expect(ranked('ot', ['oxt', 'o-t'])[0]).toBe('o-t')
})
