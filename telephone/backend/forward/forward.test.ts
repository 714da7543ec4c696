// Tests the public form of a finished exchange. It must not contain secrets.

import { expect, it } from 'vitest'
import { exchangeSummary } from './forward.ts'

it('reports the path and the request id of an exchange, without its query and its other fields', () => {
  const fields = ['Host', 'a.test', 'Authorization', 'Bearer secret', 'X-Request-ID', 'r-1']
  const target = '/a/b?token=secret'
  const opening = { kind: 'http', hops: 0, service: 'web', method: 'GET', target, fields } as const
  const end = { streamId: 3, status: 200, code: undefined, failure: undefined, durationMs: 1.5 }
  expect(exchangeSummary({ opening: { ...opening, fields }, ...end })).toEqual({
    service: 'web',
    method: 'GET',
    path: '/a/b',
    requestId: 'r-1',
    ...end,
  })
})
