import { setImmediate as turn } from 'node:timers/promises'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, it } from 'vitest'
import {
  APP_CERTIFICATE,
  RENEWED_CERTIFICATE,
  type TestCertificate,
} from '../../../test/support/credentials/certificates.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { StoredCertificate } from '../../database/store/store.ts'
import { KeySeal } from '../key-seal.ts'
import { DEFAULT_TLS_POLICY } from '../tls-policy.ts'
import { AcmeCertificates, type AcmeCertificatesOptions } from './certificates.ts'
import type { IssueResult } from './issuer.ts'

const seal = new KeySeal(['sixteen characters'])

let clock: ManualClock
let copies: Map<string, StoredCertificate>
/** True while the database is unavailable. */
let away: boolean
let rows: Map<string, StoredCertificate>
let due: string[]
let orders: string[]
/** The results of the issuer, one after the other; then `issued`. */
let results: (IssueResult | Promise<IssueResult>)[]
let stopping: AbortController

beforeEach(() => {
  clock = new ManualClock(1000, Date.parse('2030-01-01'))
  rows = new Map()
  copies = new Map()
  away = false
  due = []
  orders = []
  results = []
  stopping = new AbortController()
})

function store(host: string, { cert, key }: TestCertificate, more: Partial<StoredCertificate> = {}): void {
  const far = new Date('2040-01-01')
  const row = { host, chain: cert, sealedKey: seal.seal(key, host), notAfter: far, renewAt: far }
  rows.set(host, { ...row, issuedAt: new Date(clock.wallTime()), ...more })
}

function make(options: Partial<AcmeCertificatesOptions> = {}): AcmeCertificates {
  return new AcmeCertificates({
    issuer: {
      signal: stopping.signal,
      stop: () => stopping.abort(new Error('stopped')),
      issue: async (host, unusable) => {
        orders.push(unusable ? `${host} again` : host)
        const result = await (results.shift() ?? 'issued')
        if (result === 'issued') store(host, RENEWED_CERTIFICATE)
        return result
      },
    },
    store: {
      find: async host => (away ? Promise.reject(new Error('away')) : rows.get(host)),
      issuedAfter: async at => [...rows.values()].filter(({ issuedAt }) => issuedAt > at),
      due: async () => due,
    },
    copies: {
      read: async host => copies.get(host),
      write: async certificate => void copies.set(certificate.host, certificate),
      prune: async () => undefined,
    },
    seal,
    policy: DEFAULT_TLS_POLICY,
    hosts: [],
    mayIssue: host => host.endsWith('.test'),
    waitMs: 5000,
    clock,
    log: silentLogger,
    random: () => 0.5,
    ...options,
  })
}

const settled = async (): Promise<void> => {
  for (let turns = 0; turns < 5; turns += 1) await turn()
}

it('loads a stored certificate, and has it in memory from then on', async () => {
  store('a.test', APP_CERTIFICATE)
  const certificates = make()
  expect((await certificates.find('A.test.'))?.options.cert).toBe(APP_CERTIFICATE.cert)
  expect(certificates.find('a.test')).not.toBeInstanceOf(Promise)
  expect(orders).toEqual([])
})

it('orders once for all waiting handshakes, and only for hosts that may have a certificate', async () => {
  const certificates = make()
  const found = await Promise.all([certificates.find('a.test'), certificates.find('a.test')])
  expect(found.map(each => each?.options.cert)).toEqual([RENEWED_CERTIFICATE.cert, RENEWED_CERTIFICATE.cert])
  expect(orders).toEqual(['a.test'])
  for (const host of ['a.other', 'test', '*.test', '127.0.0.1', '-a.test', `${'a'.repeat(64)}.test`]) {
    expect(certificates.find(host)).toBeUndefined()
  }
})

it('waits while another replica orders', async () => {
  results = ['busy', 'busy']
  const certificates = make()
  const found = certificates.find('a.test')
  await settled()
  clock.advance(500)
  await settled()
  store('a.test', APP_CERTIFICATE)
  clock.advance(500)
  expect((await found)?.options.cert).toBe(APP_CERTIFICATE.cert)
  expect(orders).toEqual(['a.test', 'a.test'])
})

it('does not wait longer for a slow order, and has its certificate for the next handshake', async () => {
  const slow = Promise.withResolvers<IssueResult>()
  results = [slow.promise]
  const certificates = make()
  const found = certificates.find('a.test')
  await settled()
  clock.advance(5000)
  expect(await found).toBeUndefined()
  slow.resolve('issued')
  await settled()
  expect(certificates.find('a.test')).toMatchObject({ source: 'a.test' })
  expect(clock.pendingTimers).toBe(0)
})

it('does not order again at once after a failure', async () => {
  results = ['failed']
  const certificates = make()
  expect(await certificates.find('a.test')).toBeUndefined()
  expect(certificates.find('a.test')).toBeUndefined()
  clock.advance(10_000)
  expect(await certificates.find('a.test')).toBeDefined()
  expect(orders).toEqual(['a.test', 'a.test'])
})

it('replaces a certificate whose key cannot be decrypted, and an expired one', async () => {
  store('a.test', APP_CERTIFICATE, { sealedKey: new KeySeal(['another secret']).seal('key', 'a.test') })
  store('b.test', APP_CERTIFICATE, { notAfter: new Date(0) })
  const certificates = make()
  for (const host of ['a.test', 'b.test']) {
    expect((await certificates.find(host))?.options.cert).toBe(RENEWED_CERTIFICATE.cert)
  }
  expect(orders).toEqual(['a.test again', 'b.test'])
})

it('checks at the start and each minute: listed hosts, due certificates, certificates that others have renewed', async () => {
  let changes = 0
  store('used.test', APP_CERTIFICATE)
  const certificates = make({ hosts: ['first.test'] })
  certificates.onChange(() => {
    changes += 1
  })
  await certificates.find('used.test')
  certificates.start()
  await settled()
  expect(orders).toEqual(['first.test'])
  expect(certificates.fallback).toMatchObject({ source: 'first.test' })
  expect(changes).toBe(1)
  due = ['due.test', 'no-longer.wanted']
  store('used.test', RENEWED_CERTIFICATE, { issuedAt: new Date(clock.wallTime() + 1000) })
  clock.advance(60_000)
  await settled()
  expect(orders).toEqual(['first.test', 'due.test'])
  expect(certificates.find('used.test')).toMatchObject({ options: { cert: RENEWED_CERTIFICATE.cert } })
  await certificates.stop()
  expect(clock.pendingTimers).toBe(0)
})

it('stops waiting for another replica when it is stopped', async () => {
  results = ['busy']
  const certificates = make()
  const found = certificates.find('a.test')
  await settled()
  await certificates.stop()
  expect(await found).toBeUndefined()
  expect(clock.pendingTimers).toBe(0)
})

it('serves from memory and from files while the database is unavailable', async () => {
  store('a.test', APP_CERTIFICATE)
  await make().find('a.test')
  away = true
  const fresh = make()
  expect((await fresh.find('a.test'))?.options.cert).toBe(APP_CERTIFICATE.cert)
  expect(await fresh.find('b.test')).toBeUndefined()
  expect(orders).toEqual([])
})
