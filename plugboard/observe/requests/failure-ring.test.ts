// The rings of failed requests: their bounds, the order of the list, and the search by id.

import { expect, it } from 'vitest'
import { sampleFailure } from '../../../test/support/admin-api/sample-failure.ts'
import type { FailedRequest } from './failed-request.ts'
import { FailureRing, positionOf } from './failure-ring.ts'
import { requestTest } from './request-filter.ts'

const BOUNDS = { entries: 3, bytes: 1_000_000 }
const SMALL = { failed: BOUNDS, refused: BOUNDS, slow: BOUNDS }
const ALL = requestTest({})

const ids = (entries: readonly FailedRequest[]) => entries.map(({ request }) => request.requestId)

it('keeps the newest entries of each kind, and lists all of them newest first', () => {
  const ring = new FailureRing(SMALL)
  for (let second = 1; second <= 5; second += 1) ring.add('failed', sampleFailure(`failed-${second}`, second))
  ring.add('refused', sampleFailure('refused-1', 1, { status: 404 }))
  expect(ring.size).toBe(4)
  expect(ids(ring.newest(ALL, 10))).toEqual(['failed-5', 'failed-4', 'failed-3', 'refused-1'])
})

it('a flood of refused requests evicts no failed one', () => {
  const ring = new FailureRing(SMALL)
  ring.add('failed', sampleFailure('kept', 1))
  for (let second = 2; second < 100; second += 1) ring.add('refused', sampleFailure(`scan-${second}`, second))
  expect(ids(ring.find('kept', 1))).toEqual(['kept'])
})

it('bounds the bytes of its entries', () => {
  const bounds = { entries: 1000, bytes: 20_000 }
  const ring = new FailureRing({ failed: bounds, refused: bounds, slow: bounds })
  for (let second = 0; second < 100; second += 1)
    ring.add('failed', sampleFailure(`id-${second}`, second, { path: `/${'x'.repeat(500)}` }))
  expect(ring.size).toBeLessThan(20)
  expect(ring.size).toBeGreaterThan(5)
  expect(ids(ring.newest(ALL, 1))).toEqual(['id-99'])
})

it('continues a list after a position, without gaps and repetitions', () => {
  const ring = new FailureRing(SMALL)
  for (const id of ['a', 'b', 'c']) ring.add('failed', sampleFailure(id, 1))
  for (const id of ['d', 'e']) ring.add('slow', sampleFailure(id, 1))
  const seen: string[] = []
  let before: ReturnType<typeof positionOf> | undefined
  for (;;) {
    const [next] = ring.newest(ALL, 1, before)
    if (next === undefined) break
    seen.push(next.request.requestId)
    before = positionOf(next)
  }
  expect(seen).toEqual(['e', 'd', 'c', 'b', 'a'])
})

it('finds by a prefix, and by the whole id alone when there is one', () => {
  const ring = new FailureRing(SMALL)
  ring.add('failed', sampleFailure('0199a5f2-1', 1))
  ring.add('failed', sampleFailure('0199a5f2-12', 2))
  expect(ids(ring.find('0199a5f2', 10))).toEqual(['0199a5f2-12', '0199a5f2-1'])
  expect(ids(ring.find('0199a5f2-1', 10))).toEqual(['0199a5f2-1'])
  expect(ring.find('ffff', 10)).toEqual([])
})

it.each([
  [{ status: '5xx' }, true],
  [{ status: '404,500-502' }, true],
  [{ status: '404' }, false],
  [{ service: 'shop', telephone: 't1', method: 'get', path: '/a' }, true],
  [{ path: '/b' }, false],
  [{ route: 'r9' }, true],
  [{ route: 'test/a' }, true],
  [{ route: 'other' }, false],
])('the filter %j selects a line: %s', (filter, expected) => {
  const { request } = sampleFailure('x', 1, {
    service: 'shop',
    telephoneId: 't1',
    path: '/a/b',
    route: 'r9',
    mount: 'test/a',
  })
  expect(requestTest(filter)(request)).toBe(expected)
})
