import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres/postgres.ts'
import type { CertificateStore, Store } from './store.ts'

const DAY_MS = 86_400_000

let db: TestDatabase
let whole: Store
let store: CertificateStore

beforeAll(async () => {
  db = await createTestDatabase()
  whole = db.open().store
  store = whole.certificates
})
afterAll(() => db.drop())
beforeEach(() => query('TRUNCATE plugboard.certificates, plugboard.acme_accounts, plugboard.acme_challenges'))

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client(db.url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const request = (
  host: string,
  owner = 'one',
  more: Partial<Parameters<CertificateStore['begin']>[0]> = {},
) => ({
  host,
  owner,
  leaseMs: 60_000,
  atOnce: 2,
  perHour: 10,
  perToken: 5,
  unusable: false,
  ...more,
})
const issued = (host: string, lifeMs = 90 * DAY_MS) => ({
  host,
  chain: 'chain',
  sealedKey: 'key',
  notAfter: new Date(Date.now() + lifeMs),
  renewAt: new Date(Date.now() + (lifeMs * 2) / 3),
})

test('one replica at a time may order a host, and a limited number of hosts at once', async () => {
  const asked = await Promise.all(['one', 'two', 'three'].map(owner => store.begin(request('a.test', owner))))
  expect(asked.map(({ decision }) => decision).sort()).toEqual(['busy', 'busy', 'granted'])
  expect((await store.begin(request('b.test'))).decision).toBe('granted')
  expect((await store.begin(request('c.test'))).decision).toBe('busy')
  await store.release('b.test', 'one')
  expect((await store.begin(request('c.test'))).decision).toBe('granted')
})

test('a lease of an order expires when it is not used in time', async () => {
  expect((await store.begin(request('a.test', 'one', { leaseMs: -1 }))).decision).toBe('granted')
  expect((await store.begin(request('a.test', 'two'))).decision).toBe('granted')
  await store.succeed(issued('a.test'), 'one')
  expect(await store.find('a.test')).toBeUndefined()
  await store.succeed(issued('a.test'), 'two')
  expect(await store.find('a.test')).toMatchObject({ chain: 'chain', sealedKey: 'key' })
})

test('an issued certificate is not due before its time, unless it cannot be used', async () => {
  await store.begin(request('a.test'))
  await store.succeed(issued('a.test'), 'one')
  expect(await store.due(10)).toEqual([])
  expect((await store.begin(request('a.test'))).decision).toBe('waiting')
  expect((await store.begin(request('a.test', 'one', { unusable: true }))).decision).toBe('granted')
  await store.succeed({ ...issued('a.test'), renewAt: new Date(Date.now() - 1000) }, 'one')
  expect(await store.due(10)).toEqual(['a.test'])
  expect(await store.issuedAfter(new Date(0))).toMatchObject([{ host: 'a.test' }])
  expect(await store.issuedAfter(new Date(Date.now() + DAY_MS))).toEqual([])
})

test('a time that was just stored is never in the future', async () => {
  for (let round = 0; round < 40; round += 1) {
    await store.begin(request('a.test', 'one', { unusable: true, perHour: 1000 }))
    await store.succeed({ ...issued('a.test'), renewAt: new Date(Date.now() - 1000) }, 'one')
    expect(await store.due(10), `round ${round}`).toEqual(['a.test'])
  }
})

test('a host waits after a failed order, and its failures are counted until one succeeds', async () => {
  await store.begin(request('a.test'))
  await store.fail('a.test', 'one', 'no', 60_000)
  expect(await store.begin(request('a.test'))).toEqual({ decision: 'waiting', failures: 1 })
  await query('UPDATE plugboard.certificates SET next_attempt_at = now()')
  expect(await store.begin(request('a.test'))).toEqual({ decision: 'granted', failures: 1 })
  await store.succeed(issued('a.test'), 'one')
  expect(await store.begin(request('a.test'))).toEqual({ decision: 'waiting', failures: 0 })
})

test('the orders are listed, with failed ones first', async () => {
  for (const host of ['a.test', 'b.test', 'c.test']) await store.begin(request(host, 'one', { atOnce: 9 }))
  await store.succeed(issued('b.test'), 'one')
  await store.succeed({ ...issued('c.test'), renewAt: new Date(Date.now() + 1000) }, 'one')
  await store.fail('a.test', 'one', 'no', 60_000)
  const orders = await store.orders(10)
  expect(orders.map(({ host, lastError }) => [host, lastError])).toEqual([
    ['a.test', 'no'],
    ['c.test', null],
    ['b.test', null],
  ])
  expect(orders[0]).toMatchObject({ notAfter: null, renewAt: null, nextAttemptAt: expect.any(Date) })
  expect(await store.orders(1)).toHaveLength(1)
})

test('orders within an hour have a limit over all hosts, without released ones', async () => {
  for (const host of ['a.test', 'b.test']) {
    await store.begin(request(host, 'one', { perHour: 2 }))
    await store.fail(host, 'one', 'no', 0)
  }
  expect((await store.begin(request('c.test', 'one', { perHour: 2 }))).decision).toBe('rate_limited')
  await query(
    `UPDATE plugboard.certificates SET attempted_at = now() - interval '2 hours' WHERE host = 'a.test'`,
  )
  expect((await store.begin(request('c.test', 'one', { perHour: 2 }))).decision).toBe('granted')
  await store.release('c.test', 'one')
  expect((await store.begin(request('d.test', 'one', { perHour: 2 }))).decision).toBe('granted')
})

describe('orders for hosts that a token has claimed', () => {
  const reference = { kind: 'outside', issuer: 'https://id.test', subject: 'device', id: '1' } as const
  const more = { perToken: 2, atOnce: 4 }
  const begin = async (host: string, changes: { readonly perToken?: number | undefined } = {}) =>
    (await store.begin(request(host, 'one', { ...more, ...changes }))).decision

  beforeAll(async () => {
    const { services, routes } = whole
    await services.create({ name: 'own' }, { actor: 'test' })
    const token = { services: ['*'], mounts: ['*'], reference, maxClaims: 100 }
    for (const mount of ['t1.test', 't2.test', 't3.test', 't4.test', 'mixed.test/b']) {
      await whole.claimMount({ service: 'claimed', mount, token })
    }
    await routes.create({ mount: 'mixed.test/a', service: 'own' }, { actor: 'test' })
    await routes.create({ mount: 'own.test/a', service: 'own' }, { actor: 'test' })
    await whole.claimMount({ service: 'claimed', mount: 'own.test/b', token })
  })

  test('have a limit within an hour, and other orders continue', async () => {
    for (const host of ['t1.test', 't2.test']) {
      expect(await begin(host)).toBe('granted')
      await store.succeed(issued(host), 'one')
    }
    expect(await begin('t3.test')).toBe('token_rate_limited')
    // A token claimed the first route, so the host counts for the token.
    expect(await begin('mixed.test')).toBe('token_rate_limited')
    // No token claimed the first route.
    expect(await begin('own.test')).toBe('granted')
    expect(await begin('unclaimed.test')).toBe('granted')
    // The settings name the host.
    expect(await begin('t4.test', { perToken: undefined })).toBe('granted')
    await query(
      `UPDATE plugboard.certificates SET attempted_at = now() - interval '2 hours' WHERE host = 't1.test'`,
    )
    expect(await begin('t3.test')).toBe('granted')
  })

  test('take half of the orders at once', async () => {
    expect([await begin('t1.test', { perToken: 10 }), await begin('t2.test', { perToken: 10 })]).toEqual([
      'granted',
      'granted',
    ])
    expect(await begin('t3.test', { perToken: 10 })).toBe('busy')
    expect(await begin('own.test')).toBe('granted')
  })
})

test('rows that expired long ago are deleted', async () => {
  await store.begin(request('old.test'))
  await store.succeed(issued('old.test', -31 * DAY_MS), 'one')
  await store.due(10)
  expect(await query('SELECT host FROM plugboard.certificates')).toEqual([])
})

test('the first account stays unless it is replaced on purpose', async () => {
  const one = { url: 'u1', sealedKey: 'k1' }
  const two = { url: 'u2', sealedKey: 'k2' }
  expect(await store.account('d')).toBeUndefined()
  expect(await store.saveAccount('d', one)).toEqual(one)
  expect(await store.saveAccount('d', two)).toEqual(one)
  expect(await store.saveAccount('d', two, 'k1')).toEqual(two)
  expect(await store.account('d')).toEqual(two)
})

test('challenges are found by kind and name until they are dropped or expire', async () => {
  await store.publishChallenge('http', 'token', 'value', 60_000)
  await store.publishChallenge('tls', 'a.test', 'other', -1)
  expect(await store.challenge('http', 'token')).toBe('value')
  expect(await store.challenge('tls', 'token')).toBeUndefined()
  expect(await store.challenge('tls', 'a.test')).toBeUndefined()
  await store.dropChallenge('http', 'token')
  expect(await query('SELECT name FROM plugboard.acme_challenges')).toEqual([])
})

test('sealed keys are replaced one by one, and only when they have not changed meanwhile', async () => {
  await store.begin(request('a.test'))
  await store.begin(request('b.test'))
  await store.succeed(issued('a.test'), 'one')
  await store.saveAccount('https://ca.test/', { url: 'https://ca.test/1', sealedKey: 'account key' })
  expect(await store.sealedKeys()).toEqual([
    { kind: 'certificate', name: 'a.test', sealedKey: 'key' },
    { kind: 'account', name: 'https://ca.test/', sealedKey: 'account key' },
  ])
  expect(await store.replaceKey('certificate', 'a.test', 'key', 'new key')).toBe(true)
  expect(await store.replaceKey('certificate', 'a.test', 'key', 'another')).toBe(false)
  expect(await store.replaceKey('account', 'https://ca.test/', 'account key', 'new key')).toBe(true)
  expect((await store.sealedKeys()).map(({ sealedKey }) => sealedKey)).toEqual(['new key', 'new key'])
})
