// The guard of a canary in simulated time: a canary with errors gets no requests, and half of its share a minute later.

import type { LogFields, Logger } from '@vera-stack/shared/log.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, it } from 'vitest'
import { SimulatedPool } from '../../../test/support/harness/simulated-pool.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'
import { subsetsOf } from './service-subsets.ts'
import { chooseSubset } from './subset-choice.ts'
import { STOPPED_MS } from './subset-guard.ts'

const PER_SECOND = 200
const RULES = {
  name: 'canary',
  select: { version: '2.*' },
  percent: 20,
  guard: { maxErrorPercent: 5, minRequests: 50 },
}

let pool: SimulatedPool
let lines: [string, LogFields][]

beforeEach(() => {
  lines = []
  const log: Logger = { ...silentLogger, warn: (message, fields = {}) => void lines.push([message, fields]) }
  // Passive ejection would stop a failing canary before its guard does.
  pool = new SimulatedPool({ balancing: 'round_robin', outlier: false }, 7, log)
  for (const name of ['stable-1', 'stable-2', 'stable-3'])
    pool.connect({ name, version: '1.9', respond: () => ({ ms: 5 }) })
  useRules(RULES)
})

/** Splits by a random value, because the clients of the simulation have no addresses. */
function useRules(rules: object, more: object = {}): void {
  const subsets = subsetsOf(
    resolveServicePolicy({ subsets: [rules], splitBy: 'request', ...more }).policy,
    'service-1',
  )!
  const facts = {
    clientAddress: '',
    host: '',
    hostPattern: '',
    method: 'GET',
    fields: [],
    identity: undefined,
  }
  pool.subsetOf = () => chooseSubset(subsets, facts, pool.random)
}

function connectCanary(errorShare: number): void {
  const respond = (random: () => number) => ({ ms: 5, status: random() < errorShare ? 500 : 200 })
  pool.connect({ name: 'canary', version: '2.0', respond })
}

/** Returns the share of the canary during this time, in percent. */
function shareDuring(ms: number): number {
  pool.shares()
  pool.run(ms, PER_SECOND)
  return 100 * (pool.shares().canary ?? 0)
}

it('stops a failing canary within 10 s, and logs why', () => {
  connectCanary(1)
  pool.run(10_000, PER_SECOND)
  expect(pool.failures).toBeLessThan(60)
  expect(shareDuring(10_000)).toBe(0)
  expect(lines).toEqual([
    [
      'subset stopped by its guard',
      {
        service: 'web',
        subset: 'canary',
        count: 1,
        delayMs: STOPPED_MS,
        detail: '100.0 % of its requests failed, and 0.0 % of the others. It then gets 50 % of its share.',
      },
    ],
  ])
})

it('gives the canary half of its share after a minute, and keeps it when it has recovered', () => {
  connectCanary(1)
  pool.run(10_000, PER_SECOND)
  connectCanary(0)
  pool.run(STOPPED_MS - 10_000, PER_SECOND)
  pool.run(10_000, PER_SECOND)
  expect(Math.abs(shareDuring(60_000) - 10)).toBeLessThan(1)
  expect(lines).toHaveLength(1)
})

it('restores the whole share when the rules of the subset change, and not when another key changes', () => {
  connectCanary(1)
  pool.run(10_000, PER_SECOND)
  useRules(RULES, { retries: 1 })
  expect(shareDuring(1000)).toBe(0)
  connectCanary(0)
  useRules({ ...RULES, percent: 30 })
  expect(Math.abs(shareDuring(60_000) - 30)).toBeLessThan(1)
})

it('does not stop a canary with few errors, or one that fails as the rest does', () => {
  connectCanary(0.02)
  expect(Math.abs(shareDuring(60_000) - 20)).toBeLessThan(1)
  for (const name of ['stable-1', 'stable-2', 'stable-3'])
    pool.connect({ name, version: '1.9', respond: () => ({ ms: 5, status: 500 }) })
  pool.run(1000, PER_SECOND)
  connectCanary(1)
  expect(Math.abs(shareDuring(60_000) - 20)).toBeLessThan(1)
  expect(lines).toEqual([])
})

it('stops a canary whose attempts fail before a response, and no request fails', () => {
  pool.connect({ name: 'canary', version: '2.0', respond: () => ({ ms: 5, failure: 'reset' }) })
  pool.run(10_000, PER_SECOND)
  expect(shareDuring(5000)).toBe(0)
  expect(pool.failures).toBe(0)
})
