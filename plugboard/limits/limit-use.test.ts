import { expect, test } from 'vitest'
import type { RateLimit } from '../routes/rules/limit-rules.ts'
import { compileLimits } from './compiled-limits.ts'
import { limitUse } from './limit-use.ts'
import { type LimitedRequest, Limiter } from './limiter.ts'

const request = (clientAddress: string): LimitedRequest => ({
  clientAddress,
  host: 'a.test',
  hostPattern: 'a.test',
  path: '/',
  method: 'GET',
  fields: [],
  identity: undefined,
})
const LIMIT: RateLimit = { name: 'login', limit: 4, windowSeconds: 4 }

function setUp(limits: readonly RateLimit[]) {
  const limiter = new Limiter()
  const compiled = compileLimits(limits, 'row-1').beforeCredential
  const send = (address: string, count: number, nowMs = 0) => {
    for (let sent = 0; sent < count; sent += 1) limiter.check(compiled, request(address), nowMs)
  }
  return { limiter, compiled, send, use: (nowMs = 0) => limitUse(compiled, limiter.table, nowMs) }
}

test('counts the keys whose quota is not restored, and lists the fullest first', () => {
  const { send, use } = setUp([LIMIT])
  send('192.0.2.1', 1)
  send('192.0.2.2', 3)
  send('192.0.2.3', 2)
  const [{ keys, hottest } = { keys: 0, hottest: [] }] = use()
  expect([keys, hottest.map(({ used }) => used)]).toEqual([3, [0.75, 0.5, 0.25]])
  expect(use(2000)).toMatchObject([{ keys: 1, hottest: [{ key: hottest[0]!.key, used: 0.25 }] }])
  expect(use(3000)).toEqual([{ keys: 0, hottest: [] }])
})

test('each limit has keys of its own, and lists ten of them', () => {
  const { send, use } = setUp([LIMIT, { ...LIMIT, name: 'all', limit: 100, key: [] }])
  for (let client = 0; client < 30; client += 1) send(`192.0.2.${client}`, (client % 4) + 1)
  const [login, all] = use()
  expect([login?.keys, all?.keys]).toEqual([30, 1])
  expect(login?.hottest.map(({ used }) => used)).toEqual([...Array(7).fill(1), ...Array(3).fill(0.75)])
})

test('a key that came from another replica belongs to its limit after its first request here', () => {
  const { limiter, compiled, send, use } = setUp([LIMIT])
  send('192.0.2.1', 1)
  const { key } = use()[0]!.hottest[0]!
  const other = setUp([LIMIT])
  const slot = other.limiter.table.add(key, 0)
  other.limiter.table.setFullAtMs(slot, 4000)
  expect(other.use()[0]!.keys).toBe(0)
  other.send('192.0.2.1', 1)
  expect(other.use()).toEqual([{ keys: 1, hottest: [{ key, used: 1 }] }])
  expect([limiter.rejected, compiled[0]!.decisions.admitted]).toEqual([0, 1])
})

test('a slot that the table gives to another key does not keep its limit', () => {
  const { limiter, send, use } = setUp([LIMIT])
  send('192.0.2.1', 1)
  const { table } = limiter
  while (table.size < table.maxKeys) table.add(table.size + 1, 9000)
  const slot = table.add(1e9, 9000)
  table.setFullAtMs(slot, 20_000)
  expect(use(9000)).toEqual([{ keys: 0, hottest: [] }])
})
