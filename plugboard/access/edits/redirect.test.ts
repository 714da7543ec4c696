import { systemClock } from '@vera-stack/shared/clock.ts'
import { expect, test } from 'vitest'
import type { RespondRules } from '../../routes/rules/respond-rules.ts'
import { FixedResponse } from './fixed-response.ts'
import { locationOf } from './redirect.ts'

const to = (to: string, more: object = {}) => ({ to, ...more })

test.each([
  [to('https://new.test'), '', '', 'https://new.test'],
  [to('https://new.test'), '/a/b', '?q=1', 'https://new.test/a/b?q=1'],
  [to('https://new.test/base/'), '/a', '', 'https://new.test/base/a'],
  [to('https://new.test/x?own=1'), '/a', '?q=2', 'https://new.test/x/a?own=1&q=2'],
  [to('https://new.test/x?own=1'), '', '?', 'https://new.test/x?own=1'],
  [to('https://new.test/x', { keepPath: false }), '/a', '?q', 'https://new.test/x?q'],
  [to('https://new.test/x', { keepQuery: false }), '/a', '?q', 'https://new.test/x/a'],
  [to('/v2'), '/a', '', '/v2/a'],
  // Text of the client must not become the host.
  [to('/'), '//evil.test', '', '/evil.test'],
  [to('/'), '///evil.test/x', '', '/evil.test/x'],
  [to('/v2/'), '//evil.test', '', '/v2//evil.test'],
  [to('https://new.test'), '//evil.test', '', 'https://new.test//evil.test'],
  [to('https://new.test'), '/@evil.test', '', 'https://new.test/@evil.test'],
  [to('https://new.test'), '/.evil.test', '', 'https://new.test/.evil.test'],
  [to('https://new.test'), '/a', '?x=\\"<>{|}^`', 'https://new.test/a?x=%5C%22%3C%3E%7B%7C%7D%5E%60'],
  [to('https://new.test'), '/\u00e9', '', 'https://new.test/%E9'],
  [to('https://new.test'), '/%0d%0aSet-Cookie:x', '', 'https://new.test/%0d%0aSet-Cookie:x'],
] as const)('%j with %s%s → %s', (rules, rest, query, location) => {
  expect(locationOf(rules, rest, query)).toBe(location)
})

const fixedResponse = (rules: RespondRules) => new FixedResponse(rules, systemClock).responseTo('192.0.2.7')

test('fixed responses: a cache does not keep an error response', () => {
  expect(fixedResponse({})).toEqual({ status: 200, fields: [], body: Buffer.alloc(0) })
  const page = {
    status: 503,
    contentType: 'text/html',
    body: 'é',
    retryAfterSeconds: 60,
    headers: { 'X-A': '1' },
  }
  expect(fixedResponse(page)).toEqual({
    status: 503,
    fields: ['X-A', '1', 'Content-Type', 'text/html', 'Retry-After', '60', 'Cache-Control', 'no-store'],
    body: Buffer.from('é'),
  })
  expect(fixedResponse({ status: 404, headers: { 'cache-control': 'max-age=5' } })?.fields).toEqual([
    'cache-control',
    'max-age=5',
  ])
})
