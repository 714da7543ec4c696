import { expect, test } from 'vitest'
import { DEFAULT_SERVICE_POLICY } from './service-policy.ts'
import { serviceProblems } from './service-problems.ts'

const DEFAULT_OUTLIER = DEFAULT_SERVICE_POLICY.outlier

const problemsOf = (policy: object) =>
  serviceProblems({ ...DEFAULT_SERVICE_POLICY, ...policy }).map(({ path }) => path.join('/'))

const subset = (name: string, select: object) => ({ name, select, percent: 10 })

test.each([
  [{ balancing: 'hash' }, ['policy/hashOn']],
  [{ hashOn: 'address' }, ['policy/hashOn']],
  [{ balancing: 'random', hashOn: { claim: '/sub' } }, ['policy/hashOn']],
  [{ balancing: 'hash', hashOn: 'address' }, []],
  [
    { maxRequestsPerSecond: 9, rateLimits: [{ name: 'maxRequestsPerSecond', limit: 1 }] },
    ['policy/rateLimits/0/name'],
  ],
  [{ rateLimits: [{ name: 'maxRequestsPerSecond', limit: 1 }] }, []],
  [{ outlier: { ...DEFAULT_OUTLIER, ejectMs: 600_000 } }, ['policy/outlier/ejectMs']],
  [{ outlier: { ...DEFAULT_OUTLIER, ejectMs: 600_000, maxEjectMs: 600_000 } }, []],
  [{ outlier: false }, []],
  [{ subsets: [subset('a', { version: '2.*' }), subset('b', { version: '2.0' })] }, []],
  [
    { subsets: [subset('a', { version: '2.*' }), subset('b', { version: '2.*' })] },
    ['policy/subsets/1/select'],
  ],
  [
    { subsets: [subset('a', { labels: { x: '1', y: '2' } }), subset('b', { labels: { y: '2', x: '1' } })] },
    ['policy/subsets/1/select'],
  ],
  [{ mirror: { to: 'canary', percent: 5 } }, ['policy/mirror/to']],
  [
    { mirror: { to: 'canary', percent: 5 }, subsets: [{ name: 'beta', select: { version: '2' } }] },
    ['policy/mirror/to'],
  ],
  [{ mirror: { to: 'beta', percent: 5 }, subsets: [{ name: 'beta', select: { version: '2' } }] }, []],
  [{}, []],
])('the problems of %j are at %j', (policy, places) => expect(problemsOf(policy)).toEqual(places))
