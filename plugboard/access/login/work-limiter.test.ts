import { expect, test } from 'vitest'
import { WorkLimiter } from './work-limiter.ts'

test('runs and queues limited work, and refuses the rest at once; a failure frees its place as well', async () => {
  const work = new WorkLimiter({ maxRunning: 1, maxWaiting: 1, maxPerOwner: 9 })
  const first = Promise.withResolvers<string>()
  const order: string[] = []
  const one = work.run('a', () => first.promise)
  const two = work.run('a', () => Promise.resolve(order.push('two')))
  expect(work.run('a', () => Promise.resolve('three'))).toBeUndefined()
  expect(order).toEqual([])
  first.reject(new Error('no'))
  await expect(one).rejects.toThrow('no')
  await two
  expect(order).toEqual(['two'])
  expect(await work.run('a', () => Promise.resolve('four'))).toBe('four')
})

test('each owner has at most its share of running and waiting work', async () => {
  const work = new WorkLimiter({ maxRunning: 1, maxWaiting: 5, maxPerOwner: 2 })
  const first = Promise.withResolvers<void>()
  const own = [work.run('a', () => first.promise), work.run('a', () => Promise.resolve())]
  expect(work.run('a', () => Promise.resolve())).toBeUndefined()
  const other = work.run('b', () => Promise.resolve('b'))
  expect(other).toBeInstanceOf(Promise)
  first.resolve()
  await Promise.all(own)
  expect(await other).toBe('b')
  expect(await work.run('a', () => Promise.resolve('a'))).toBe('a')
})

test('work that arrives between the end of one work and the start of the next does not exceed the limit', async () => {
  const work = new WorkLimiter({ maxRunning: 1, maxWaiting: 5, maxPerOwner: 9 })
  let running = 0
  let most = 0
  const task = async (until: Promise<unknown>): Promise<void> => {
    running += 1
    most = Math.max(most, running)
    await until
    running -= 1
  }
  const first = Promise.withResolvers<void>()
  const turn = () => new Promise(resolve => setImmediate(resolve))
  const one = work.run('a', () => first.promise)
  const two = work.run('a', () => task(turn()))
  // Called after the first work has ended, and before the second one starts.
  const three = first.promise.then(() => work.run('b', () => task(turn())))
  first.resolve()
  await Promise.all([one, two, three])
  expect(most).toBe(1)
})
