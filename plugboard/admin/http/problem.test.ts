import { expect, test } from 'vitest'
import { z } from 'zod'
import { validationError } from './problem.ts'

test('a problem contains a bounded number of names, and a bounded part of each name', () => {
  const keys = Array.from({ length: 1_000 }, (_, index) => `${index}${'x'.repeat(10_000)}`)
  const { message, culprits } = validationError('json', [
    { code: 'unrecognized_keys', path: ['options'], message: 'Unrecognized keys', keys },
  ])
  expect(message.length).toBeLessThan(1_100)
  expect(culprits).toHaveLength(50)
  expect(culprits[0]?.pointer).toMatch(/^\/options\/0x{190}…$/)
})

test('a problem names the bound of a text, and an unknown parameter', () => {
  const schema = z.strictObject({ q: z.string().min(1).max(255), name: z.string().min(2) })
  const { error } = schema.safeParse({ q: 'x'.repeat(256), name: '', colour: 'red' })
  expect(validationError('query', error!.issues).message).toBe(
    'q: must have at most 255 characters; name: must have at least 2 characters; colour: unknown parameter',
  )
})
