import { expect, test } from 'vitest'
import { BoundedWork } from './bounded-work.ts'

test('so many run, so many wait, the rest is told at once; a failure makes room as well', async () => {
  const work = new BoundedWork(1, 1)
  const first = Promise.withResolvers<string>()
  const order: string[] = []
  const one = work.run(() => first.promise)
  const two = work.run(() => Promise.resolve(order.push('two')))
  expect(work.run(() => Promise.resolve('three'))).toBeUndefined()
  expect(order).toEqual([])
  first.reject(new Error('no'))
  await expect(one).rejects.toThrow('no')
  await two
  expect(order).toEqual(['two'])
  expect(await work.run(() => Promise.resolve('four'))).toBe('four')
})
