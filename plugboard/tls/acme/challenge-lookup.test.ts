import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { ChallengeLookup } from './challenge-lookup.ts'

const TOKEN = 'a-token-of-the-authority'
const REST = { log: silentLogger, clientSharePercent: 75 }

it('queries the database only for valid tokens and hosts', async () => {
  const asked: string[] = []
  const challenge = async (kind: string, name: string) => {
    asked.push(`${kind} ${name}`)
    return 'answer'
  }
  const lookup = new ChallengeLookup({ store: { challenge }, clock: new ManualClock(), ...REST })
  expect(await lookup.http(TOKEN, '192.0.2.1')).toBe('answer')
  expect(await lookup.tls('a.test')).toBe('answer')
  for (const token of ['', 'short', `${TOKEN}/x`, `${TOKEN}?x`, 'x'.repeat(300)]) {
    expect(await lookup.http(token, '192.0.2.1')).toBeUndefined()
  }
  expect(asked).toEqual([`http ${TOKEN}`, 'tls a.test'])
})

it('limits lookups per second and at the same time, in total and per client', async () => {
  const clock = new ManualClock()
  let asked = 0
  const waiting = Promise.withResolvers<string | undefined>()
  let respond: () => Promise<string | undefined> = async () => 'answer'
  const challenge = () => {
    asked += 1
    return respond()
  }
  const lookup = new ChallengeLookup({ store: { challenge }, clock, ...REST })
  for (let count = 0; count < 200; count += 1) await lookup.http(TOKEN, '192.0.2.1')
  expect(asked).toBe(37)
  // Requests of the authority and of another client.
  for (const client of ['192.0.2.2', '192.0.2.3']) {
    for (let count = 0; count < 10; count += 1) await lookup.http(TOKEN, client)
  }
  expect(asked).toBe(50)
  expect(await lookup.tls('a.test')).toBe('answer')
  clock.advance(1000)
  asked = 0
  respond = () => waiting.promise
  const ask = (client: string) => Array.from({ length: 20 }, () => lookup.http(TOKEN, client))
  const many = [...ask('192.0.2.1'), ...ask('192.0.2.2')]
  expect(asked).toBe(8)
  waiting.resolve('answer')
  const responded = (await Promise.all(many)).map(each => each !== undefined)
  expect([responded.slice(0, 20), responded.slice(20)].map(each => each.filter(Boolean).length)).toEqual([
    6, 2,
  ])
})

it('returns no response while the database is unavailable', async () => {
  const challenge = () => Promise.reject(new Error('down'))
  const lookup = new ChallengeLookup({ store: { challenge }, clock: new ManualClock(), ...REST })
  expect(await lookup.http(TOKEN, '192.0.2.1')).toBeUndefined()
})
