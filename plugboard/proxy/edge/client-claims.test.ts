import { expect, it } from 'vitest'
import { ClientClaims } from './client-claims.ts'

function claimsOf(...fields: [name: string, value: string][]) {
  const claims = new ClientClaims()
  for (const [name, value] of fields) claims.add(name, value)
  const { forwardedFor, proto, host, port, prefix } = claims
  return { forwardedFor, proto, host, port, prefix }
}

const NONE = { forwardedFor: undefined, proto: undefined, host: undefined, port: undefined, prefix: '' }

it('uses X-Forwarded-* as the source when one of its fields is present, and Forwarded otherwise', () => {
  const forwarded = 'for="[2001:db8::1]:4711";proto=https;host="a.test:8443", for=10.0.0.1'
  const ofForwarded = { forwardedFor: '2001:db8::1, 10.0.0.1', proto: 'https', host: 'a.test:8443' }
  expect(claimsOf(['forwarded', forwarded])).toEqual({ ...NONE, ...ofForwarded })
  expect(claimsOf(['forwarded', forwarded], ['x-forwarded-prefix', '/app/'])).toEqual({
    ...NONE,
    ...ofForwarded,
    prefix: '/app',
  })
  expect(
    claimsOf(['forwarded', forwarded], ['x-forwarded-for', '9.9.9.9'], ['x-forwarded-proto', 'http']),
  ).toEqual({
    ...NONE,
    forwardedFor: '9.9.9.9',
    proto: 'http',
  })
  expect(claimsOf(['forwarded', 'for="broken'])).toEqual(NONE)
})

it('uses the first member of a list for the client, and joins several lines to one list', () => {
  const claims = claimsOf(
    ['x-forwarded-for', '9.9.9.9'],
    ['x-forwarded-for', '8.8.8.8, 7.7.7.7'],
    ['x-forwarded-proto', 'HTTPS, http'],
    ['x-forwarded-host', 'shop.example'],
    ['x-forwarded-host', 'inner.example'],
    ['x-forwarded-port', '8443, 80'],
  )
  expect(claims).toEqual({
    ...NONE,
    forwardedFor: '9.9.9.9, 8.8.8.8, 7.7.7.7',
    proto: 'https',
    host: 'shop.example',
    port: '8443',
  })
})

it.each([
  ['https', 'https'],
  ['wss', 'https'],
  ['WS', 'http'],
  ['ftp', undefined],
  ['https;x', undefined],
  ['', undefined],
])('reads the protocol %j as %s', (value, proto) => {
  expect(claimsOf(['x-forwarded-proto', value]).proto).toBe(proto)
})

it.each(['a b', 'a@b', '"', 'a;proto=http', 'a/b', ''])('ignores the host %j', value => {
  expect(claimsOf(['x-forwarded-host', value]).host).toBeUndefined()
  expect(claimsOf(['forwarded', `host="${value}"`]).host).toBeUndefined()
})

it.each(['0', '65536', '-1', 'x', '443x', ''])('ignores the port %j', value => {
  expect(claimsOf(['x-forwarded-port', value]).port).toBeUndefined()
})

it.each(['app', '/a b', '//', '/a//b', 'http://a/', '/'])('ignores the prefix %j', value => {
  expect(claimsOf(['x-forwarded-prefix', value]).prefix).toBe('')
})

it('ignores unknown fields of the family, and fields that Connection names', () => {
  expect(claimsOf(['x-forwarded-server', 'evil'], ['x-real-ip', '6.6.6.6'])).toEqual(NONE)
  const claims = new ClientClaims()
  claims.add('x-forwarded-for', '9.9.9.9')
  claims.add('forwarded', 'for=8.8.8.8')
  claims.remove('x-forwarded-for')
  expect(claims.forwardedFor).toBe('8.8.8.8')
  claims.remove('forwarded')
  expect(claims.forwardedFor).toBeUndefined()
  claims.add('x-forwarded-proto', 'https')
  claims.clear()
  expect(claims.proto).toBeUndefined()
})
