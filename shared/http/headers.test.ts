import { describe, expect, it } from 'vitest'
import {
  allowedInTrailers,
  equalsIgnoringCase,
  FIELD,
  fieldOf,
  listHolds,
  nominatedFields,
  parseContentLength,
  relayedTrailers,
  removeFields,
  repeatsField,
} from './headers.ts'

describe('fieldOf', () => {
  it.each([
    ['Connection', FIELD.connection],
    ['cOnNeCtIoN', FIELD.connection],
    ['Transfer-Encoding', FIELD.transferEncoding],
    ['transfer_encoding', FIELD.other],
    ['Keep-Alive', FIELD.hopByHop],
    ['Proxy-Connection', FIELD.hopByHop],
    ['Proxy-Authorization', FIELD.hopByHop],
    ['proxy-authenticate', FIELD.hopByHop],
    ['HTTP2-Settings', FIELD.hopByHop],
    ['TE', FIELD.te],
    ['Trailer', FIELD.trailer],
    ['UPGRADE', FIELD.upgrade],
    ['Content-Length', FIELD.contentLength],
    ['Content-Type', FIELD.other],
    ['Host', FIELD.host],
    ['Date', FIELD.date],
    ['Expect', FIELD.expect],
    ['x-request-id', FIELD.requestId],
    ['User-Agent', FIELD.other],
    ['', FIELD.other],
  ])('%s', (name, field) => {
    expect(fieldOf(name)).toBe(field)
  })
})

it('ignores the case of letters, and distinguishes - from _', () => {
  expect(equalsIgnoringCase('Keep-Alive', 'keep-alive')).toBe(true)
  expect(equalsIgnoringCase('Keep_Alive', 'keep-alive')).toBe(false)
})

it('names the fields that Connection nominates', () => {
  expect(nominatedFields('keep-alive')).toBeUndefined()
  expect(nominatedFields('TE, close')).toBeUndefined()
  expect(nominatedFields('close, X-Secret ,, X-Other')).toEqual(['x-secret', 'x-other'])
})

it('removes fields in place, all lines of a name', () => {
  const fields = ['A', '1', 'X-Secret', '2', 'B', '3', 'x-secret', '4']
  removeFields(fields, ['x-secret'])
  expect(fields).toEqual(['A', '1', 'B', '3'])
})

it('finds a token in a list', () => {
  expect(listHolds('Upgrade', 'upgrade')).toBe(true)
  expect(listHolds('keep-alive, Upgrade', 'upgrade')).toBe(true)
  expect(listHolds('upgraded', 'upgrade')).toBe(false)
})

it.each([
  ['0', 0],
  ['42', 42],
  ['', undefined],
  ['+1', undefined],
  ['-1', undefined],
  ['0x10', undefined],
  ['1, 1', undefined],
  ['9007199254740993', undefined],
  ['99999999999999999999', undefined],
])('Content-Length %j', (value, length) => {
  expect(parseContentLength(value)).toBe(length)
})

it('removes framing, routing and authentication fields from trailers', () => {
  const forbidden = ['Content-Length', 'HOST', 'Authorization', 'set-cookie', 'X-Forwarded-For', 'If-Match']
  // Other spellings that a backend may use, and names for which Node's http2 throws in an event handler, where no caller can
  // catch the error.
  forbidden.push(
    'X_Forwarded_For',
    'x.real.ip',
    'Plugboard_Error',
    'Content_Length',
    'HTTP2-Settings',
    'Proxy-Connection',
  )
  for (const name of forbidden) expect(allowedInTrailers(name)).toBe(false)
  expect(relayedTrailers(['Host', 'x'])).toBeUndefined()
  expect(relayedTrailers(['Digest', 'x', 'Trailer', 'y', 'grpc-status', '0'])).toEqual([
    'Digest',
    'x',
    'grpc-status',
    '0',
  ])
})

it.each([
  [[], false],
  [['Authorization', 'a', 'X', 'authorization'], false],
  [['Authorization', 'a', 'X', 'b', 'AUTHORIZATION', 'c'], true],
])('%j repeats Authorization: %s', (raw, repeated) => {
  expect(repeatsField(raw, 'authorization')).toBe(repeated)
})
