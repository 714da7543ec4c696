// The split of requests over subsets, as a function of the policy and the request.

import { describe, expect, it } from 'vitest'
import type { KeyFacts } from '../../limits/limit-keys.ts'
import { resolveServicePolicy } from '../../routes/options/service-policy.ts'
import { subsetsOf } from './service-subsets.ts'
import { chooseSubset } from './subset-choice.ts'

const CLIENTS = 20_000
const select = { version: '2.*' }

function facts(client: number, fields: readonly string[] = []): KeyFacts {
  return {
    clientAddress: '192.0.2.1',
    host: 'test',
    hostPattern: 'test',
    method: 'GET',
    fields: ['Cookie', `session=${client}`, ...fields],
    identity: undefined,
  }
}

/** Returns a function from the number of a client to the name of its subset. */
function splitOf(subsets: object[], splitBy: unknown = { cookie: 'session' }, random = () => 0.5) {
  const compiled = subsetsOf(resolveServicePolicy({ subsets, splitBy }).policy, 'service-1')!
  return (client: number, fields: readonly string[] = []) =>
    chooseSubset(compiled, facts(client, fields), random).subset?.name ?? 'rest'
}

/** Returns the number of clients of each subset. */
function sharesOf(split: (client: number) => string): Record<string, number> {
  const shares: Record<string, number> = {}
  for (let client = 0; client < CLIENTS; client += 1) {
    const name = split(client)
    shares[name] = (shares[name] ?? 0) + 1
  }
  return shares
}

const percentOf = (count = 0) => (100 * count) / CLIENTS

describe('percentages', () => {
  it.each([1, 5, 50, 99.5])('%s percent of the clients use the subset, within one point', percent => {
    const { canary } = sharesOf(splitOf([{ name: 'canary', select, percent }]))
    expect(Math.abs(percentOf(canary) - percent)).toBeLessThan(1)
  })

  it('give each of several subsets its share', () => {
    const shares = sharesOf(
      splitOf([
        { name: 'a', select, percent: 10 },
        { name: 'b', select, percent: 30 },
        { name: 'c', select, percent: 60 },
      ]),
    )
    expect(Object.keys(shares).sort()).toEqual(['a', 'b', 'c'])
    expect(Math.abs(percentOf(shares.a) - 10)).toBeLessThan(1)
    expect(Math.abs(percentOf(shares.b) - 30)).toBeLessThan(1)
  })

  it.each([
    [0, 'rest'],
    [100, 'canary'],
  ])('%s percent are no client or all clients', (percent, expected) => {
    expect(sharesOf(splitOf([{ name: 'canary', select, percent }]))).toEqual({ [expected]: CLIENTS })
  })

  it('move no client back when the percentage of a subset grows', () => {
    const split = (a: number, b: number) =>
      splitOf([
        { name: 'a', select, percent: a },
        { name: 'b', select, percent: b },
      ])
    const [before, grownA, grownB] = [split(5, 10), split(50, 10), split(5, 50)]
    const afterGrowthOfA: Record<string, string[]> = { a: ['a'], b: ['a', 'b'], rest: ['a', 'b', 'rest'] }
    const afterGrowthOfB: Record<string, string[]> = { a: ['a'], b: ['b'], rest: ['b', 'rest'] }
    const moved: string[] = []
    for (let client = 0; client < 5000; client += 1) {
      const first = before(client)
      const [withA, withB] = [grownA(client), grownB(client)]
      if (!afterGrowthOfA[first]!.includes(withA) || !afterGrowthOfB[first]!.includes(withB))
        moved.push(`${client}: ${first}, ${withA}, ${withB}`)
    }
    expect(moved).toEqual([])
  })

  it('split each request separately with `request`', () => {
    const points = [0.04, 0.06, 0.04]
    const split = splitOf([{ name: 'canary', select, percent: 5 }], 'request', () => points.shift() ?? 1)
    expect([split(1), split(1), split(1)]).toEqual(['canary', 'rest', 'canary'])
  })

  it('split by the address when the request has no such value', () => {
    const split = splitOf([{ name: 'canary', select, percent: 50 }], { header: 'X-Absent' })
    expect(Object.values(sharesOf(split))).toEqual([CLIENTS])
  })
})

describe('header fields', () => {
  const split = splitOf([
    { name: 'beta', select, percent: 100 },
    { name: 'canary', select, match: { header: { 'X-Canary': 'yes', 'x-user': 'ada' } } },
  ])

  it('come before percentages, and all of a subset must match', () => {
    expect(split(1, ['x-canary', 'yes', 'X-User', 'ada'])).toBe('canary')
    for (const fields of [['X-Canary', 'yes'], ['X-Canary', 'YES', 'X-User', 'ada'], []])
      expect(split(1, fields)).toBe('beta')
  })
})
