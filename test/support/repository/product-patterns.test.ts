// Checks that each regular expression of the product takes linear time. Otherwise a peer could block the event loop with a
// text of a few kilobytes. The tests compare the steps of a counting twin, not times.

import { expect, test } from 'vitest'
import { seededRandom } from '../seeded-random.ts'
import { productPatterns } from './product-patterns.ts'
import { MAX_STEPS, type SteppedPattern, steppedPattern } from './regex-steps.ts'

const TEXTS_PER_PATTERN = 100
const REPEATS = 150
/** For a text of twice the length, a linear pattern takes twice the steps, and a quadratic one four times. */
const MAX_GROWTH = 2.7
const SMALL_STEPS = 4_000

/** Returns a text that costs superlinear steps. */
function attack(pattern: SteppedPattern, texts = TEXTS_PER_PATTERN): string | undefined {
  const random = seededRandom(1)
  const pick = (count: number): number => Math.floor(random() * count)
  const piece = (): string => {
    const sample = pattern.sample(pick)
    const from = pick(sample.length + 1)
    const letters = Array.from({ length: pick(3) }, () => pattern.alphabet[pick(pattern.alphabet.length)])
    const parts = [sample, sample.slice(0, from), sample.slice(from), letters.join('')]
    return (parts[pick(parts.length)] as string).slice(0, 80)
  }
  for (let index = 0; index < texts; index += 1) {
    const before = pick(2) === 0 ? '' : piece()
    const pumped = piece() || 'a'
    const after = pick(3) === 0 ? '' : piece() + (pattern.alphabet[pick(pattern.alphabet.length)] as string)
    const count = Math.ceil(REPEATS / pumped.length)
    const steps = pattern.steps(before + pumped.repeat(count) + after)
    const twice = pattern.steps(before + pumped.repeat(count * 2) + after)
    const grown = pattern.steps(before + pumped.repeat(count * 4) + after)
    if (grown >= MAX_STEPS) return `${JSON.stringify(before)} + ${JSON.stringify(pumped)} × n: too many steps`
    if (grown > SMALL_STEPS && twice > steps * MAX_GROWTH && grown > twice * MAX_GROWTH) {
      return `${JSON.stringify(before)} + ${JSON.stringify(pumped)} × n + ${JSON.stringify(after)}`
    }
  }
  return undefined
}

const patterns = await productPatterns()

test('finds the patterns of the product', () => {
  expect(patterns.length).toBeGreaterThan(100)
})

test.each(patterns)('$where /$source/$flags costs linear steps', ({ source, flags }) => {
  expect(attack(steppedPattern(source, flags))).toBeUndefined()
})

// These tests prove that the check can fail.
test.each([
  ['eyJ[\\w-]{4,}\\.[\\w-]+\\.[\\w-]*', 'g'],
  ['[a-z][a-z0-9+.-]*:\\/\\/[^\\s"/]*@', 'gi'],
  ['^ +| +$', 'g'],
  ['[.-]+$', ''],
  ['=+$', ''],
  ['^(a+)+$', ''],
  ['^\\w+\\s*=\\s*\\w+\\s*\\s*$', ''],
  ['^(?:[a-z]+,? ?)*$', 'i'],
  ['^.*?(\\d+),(\\d+).*!$', ''],
])('reports /%s/%s as superlinear', (source, flags) => {
  expect(attack(steppedPattern(source, flags), 1_000)).toBeDefined()
})

test('the twin finds the same matches as the engine', () => {
  for (const { source, flags } of patterns) {
    const pattern = steppedPattern(source, flags)
    const random = seededRandom(2)
    const engine = new RegExp(source, flags.replace('g', ''))
    for (let index = 0; index < 20; index += 1) {
      const text = pattern.sample(count => Math.floor(random() * count))
      // A sticky pattern keeps the end of its last match.
      engine.lastIndex = 0
      expect(pattern.matches(text), `${source} on ${JSON.stringify(text)}`).toBe(engine.test(text))
    }
  }
})
