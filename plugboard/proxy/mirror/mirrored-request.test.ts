import { expect, it, test } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'
import { mirroredOpening, wantsMirror } from './mirrored-request.ts'

const requestOf = (method: string, upgrade = '', fields: string[] = []) =>
  ({
    opening: { kind: 'http', hops: 0, service: 'shop', method, target: '/', fields, client: '192.0.2.1' },
    route: harnessRoute({ host: 'test' }),
    upgrade,
    expectsContinue: true,
  }) as unknown as RoutedRequest

const RULES = { to: 'canary', percent: 12.5 }

test.each<[string, boolean, Parameters<typeof wantsMirror>]>([
  ['below the percentage', true, [RULES, requestOf('GET'), undefined, 0.1249]],
  ['at the percentage', false, [RULES, requestOf('GET'), undefined, 0.125]],
  ['with 0 percent', false, [{ ...RULES, percent: 0 }, requestOf('GET'), undefined, 0]],
  ['with 100 percent', true, [{ ...RULES, percent: 100 }, requestOf('GET'), undefined, 0.999_999]],
  ['that another subset has served', true, [RULES, requestOf('GET'), 'beta', 0]],
  ['that the subset itself has served', false, [RULES, requestOf('GET'), 'canary', 0]],
  ['with an unsafe method', false, [RULES, requestOf('PUT'), undefined, 0]],
  ['with a listed method', true, [{ ...RULES, methods: ['PUT'] }, requestOf('PUT'), undefined, 0]],
  [
    'with a method that is not listed',
    false,
    [{ ...RULES, methods: ['PUT'] }, requestOf('GET'), undefined, 0],
  ],
  [
    'that is a replay',
    false,
    [RULES, { ...requestOf('GET'), replay: { exchange: 'e1', telephone: undefined } }, undefined, 0],
  ],
  ['with an upgrade', false, [RULES, requestOf('GET', 'websocket'), undefined, 0]],
])('a request %s is copied: %s', (_, expected, input) => expect(wantsMirror(...input)).toBe(expected))

it('the copy is marked, names no client, asks for no 100, and leaves the real request unchanged', () => {
  const fields = ['Host', 'test', 'EXPECT', '100-continue', 'X-Request-ID', 'id-1']
  const request = {
    ...requestOf('POST', '', fields),
    opening: { ...requestOf('POST', '', fields).opening, affinity: 'a' },
  }
  expect(mirroredOpening({ request, rules: RULES, body: undefined }, 'shop-old')).toEqual({
    kind: 'http',
    hops: 0,
    service: 'shop-old',
    method: 'POST',
    target: '/',
    fields: ['Host', 'test', 'X-Request-ID', 'id-1', 'Plugboard-Mirror', '1'],
    client: 'mirror',
  })
  expect(fields).toHaveLength(6)
})
