import { expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import type { StickyService } from '../../telephones/sticky/sticky-session.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { addSessionField } from './session-field.ts'

const COOKIE: StickyService = {
  kind: 'cookie',
  name: 'sid',
  readName: 'sid',
  ttlSeconds: undefined,
  key: { low: 1, high: 2 },
}

function fieldsFor(mountPath: string, service: StickyService, fields: string[] = []): string[] {
  const route = harnessRoute({ host: 'test', mountPath })
  addSessionField(fields, service, 'v1', { route, proto: 'https' } as RoutedRequest)
  return fields
}

it.each([
  ['/', '/'],
  ['/api', '/api'],
  ['/api/%C3%A4', '/api/%C3%A4'],
  ['/api/v;1/x', '/api'],
  ['/v;1', '/'],
])('the cookie of the mount %s has the path %s', (mountPath, path) => {
  expect(fieldsFor(mountPath, COOKIE)).toEqual([
    'Set-Cookie',
    `sid=v1; Path=${path}; HttpOnly; SameSite=Lax; Secure`,
  ])
})

it('replaces a header field of the backend, and keeps its cookies', () => {
  const header: StickyService = { ...COOKIE, kind: 'header', name: 'X-Session', readName: 'x-session' }
  const backend = ['Set-Cookie', 'a=b', 'x-session', 'of the backend']
  expect(fieldsFor('/', header, [...backend])).toEqual(['Set-Cookie', 'a=b', 'X-Session', 'v1'])
  expect(fieldsFor('/', COOKIE, ['Set-Cookie', 'a=b'])).toHaveLength(4)
})
