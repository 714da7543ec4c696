import { expect, test } from 'vitest'
import { validationError } from './problem.ts'

test('a problem contains a bounded number of names, and a bounded part of each name', () => {
  const keys = Array.from({ length: 1_000 }, (_, index) => `${index}${'x'.repeat(10_000)}`)
  const { message, culprits } = validationError('json', [
    { code: 'unrecognized_keys', path: ['options'], message: '', keys },
  ])
  expect(message.length).toBeLessThan(1_100)
  expect(culprits).toHaveLength(50)
  expect(culprits[0]?.pointer).toMatch(/^\/options\/0x{190}…$/)
})
