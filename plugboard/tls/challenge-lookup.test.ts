import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { ChallengeLookup } from './challenge-lookup.ts'

const TOKEN = 'a-token-of-the-authority'

it('asks the database, for what can be a token or a host only', async () => {
  const asked: string[] = []
  const challenge = async (kind: string, name: string) => {
    asked.push(`${kind} ${name}`)
    return 'answer'
  }
  const lookup = new ChallengeLookup({ store: { challenge }, clock: new ManualClock(), log: silentLogger })
  expect(await lookup.http(TOKEN)).toBe('answer')
  expect(await lookup.tls('a.test')).toBe('answer')
  for (const token of ['', 'short', `${TOKEN}/x`, `${TOKEN}?x`, 'x'.repeat(300)]) {
    expect(await lookup.http(token)).toBeUndefined()
  }
  expect(asked).toEqual([`http ${TOKEN}`, 'tls a.test'])
})

it('lets strangers ask a few times a second, and not many at once', async () => {
  const clock = new ManualClock()
  let asked = 0
  const waiting = Promise.withResolvers<string | undefined>()
  let answer: () => Promise<string | undefined> = async () => undefined
  const challenge = () => {
    asked += 1
    return answer()
  }
  const lookup = new ChallengeLookup({ store: { challenge }, clock, log: silentLogger })
  for (let count = 0; count < 200; count += 1) await lookup.http(TOKEN)
  expect(asked).toBe(50)
  clock.advance(1000)
  answer = () => waiting.promise
  const many = Array.from({ length: 20 }, () => lookup.http(TOKEN))
  expect(asked).toBe(58)
  waiting.resolve(undefined)
  await Promise.all(many)
})

it('a database that is down is no answer', async () => {
  const challenge = () => Promise.reject(new Error('down'))
  const lookup = new ChallengeLookup({ store: { challenge }, clock: new ManualClock(), log: silentLogger })
  expect(await lookup.http(TOKEN)).toBeUndefined()
})
