import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BackendRequest, type HostRule, RequestError } from '../backend-exchange.ts'
import { writeRequestFields, writeTrailers } from './request-fields.ts'

const PRESERVE: HostRule = { kind: 'preserve', fallback: 'localhost:50051' }

function write(request: Partial<BackendRequest>, hostRule = PRESERVE) {
  const whole = { method: 'GET', target: '/a?b', fields: [], upgrade: false, ended: true, ...request }
  return writeRequestFields(whole, hostRule, 'http')
}

const pseudo = (method = 'GET', authority = 'localhost:50051') => [
  ':method',
  method,
  ':scheme',
  'http',
  ':authority',
  authority,
  ':path',
  '/a?b',
]

describe('a request', () => {
  it.each<[string, string[], string[]]>([
    [
      'names in lower case, order and repetition kept',
      ['X-A', '1', 'x-b', '2', 'X-a', '3'],
      ['x-a', '1', 'x-b', '2', 'x-a', '3'],
    ],
    ['several Cookie fields', ['Cookie', 'a=1', 'Cookie', 'b=2'], ['cookie', 'a=1', 'cookie', 'b=2']],
    [
      'fields of the connection',
      ['Connection', 'x', 'Keep-Alive', '5', 'Proxy-Connection', 'a', 'Upgrade', 'b'],
      [],
    ],
    ['fields of HTTP/1 framing', ['Transfer-Encoding', 'chunked', 'HTTP2-Settings', 'AAMAAABk'], []],
    ['TE: trailers', ['TE', 'Trailers'], ['te', 'trailers']],
    ['any other TE', ['TE', 'trailers, gzip'], []],
    ['a length', ['Content-Length', '5'], ['content-length', '5']],
    ['bytes beyond ASCII', ['X-A', 'caf\xe9'], ['x-a', 'caf\xe9']],
    ['blanks around a value', ['X-A', ' \tb c '], ['x-a', 'b c']],
    [
      'the deadline of a call',
      ['grpc-timeout', '100m', 'Content-Type', 'application/grpc'],
      ['grpc-timeout', '100m', 'content-type', 'application/grpc'],
    ],
  ])('%s', (_name, fields, expected) => {
    expect(write({ fields }).list).toEqual([...pseudo(), ...expected])
  })

  it.each<[string, HostRule, string[], string]>([
    ['as the client sent it', PRESERVE, ['Host', 'App.test:80'], 'App.test:80'],
    ['the target when the client sent no Host', PRESERVE, [], 'localhost:50051'],
    ['a fixed host', { kind: 'fixed', host: 'app.internal' }, ['host', 'a.test'], 'app.internal'],
  ])(':authority is %s', (_name, hostRule, fields, expected) => {
    expect(write({ fields }, hostRule).list).toEqual(pseudo('GET', expected))
  })

  it.each<[string, Partial<BackendRequest>]>([
    ['two lengths', { fields: ['Content-Length', '1', 'Content-Length', '1'] }],
    ['an invalid length', { fields: ['Content-Length', '+1'] }],
    ['length and chunks', { fields: ['Content-Length', '1', 'Transfer-Encoding', 'chunked'] }],
    ['two hosts', { fields: ['Host', 'a', 'host', 'a'] }],
    ['a name that is no token', { fields: ['a b', 'c'] }],
    ['a pseudo-header field', { fields: [':path', '/admin'] }],
    ['a control character in a value', { fields: ['a', 'b\x01c'] }],
    ['a method that is no token', { method: 'G T' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['a blank in the target', { target: '/a b' }],
    ['an empty target', { target: '' }],
    ['an upgrade with a body', { upgrade: true, fields: ['Content-Length', '1'] }],
  ])('with %s cannot be sent', (_name, request) => {
    expect(() => write(request)).toThrow(RequestError)
  })

  it('a WebSocket handshake is an extended CONNECT without its key', () => {
    const fields = [
      'Upgrade',
      'websocket',
      'Connection',
      'Upgrade',
      'Sec-WebSocket-Key',
      'k',
      'Sec-WebSocket-Version',
      '13',
    ]
    expect(write({ upgrade: true, fields })).toEqual({
      list: [...pseudo('CONNECT'), ':protocol', 'websocket', 'sec-websocket-version', '13'],
      contentLength: undefined,
      webSocketKey: 'k',
      authenticatesConnection: false,
    })
  })

  it('has no fields of a connection, and only pairs that HTTP/2 allows', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'Connection',
        'KEEP-ALIVE',
        'Proxy-Connection',
        'transfer-encoding',
        'UPGRADE',
        'TE',
        'Host',
      ),
      fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/),
      fc.string(),
    )
    const value = fc.oneof(fc.constantFrom('trailers', 'chunked', '1'), fc.string({ unit: 'binary-ascii' }))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), pairs => {
        let list: string[]
        try {
          list = write({ fields: pairs.flat() }).list
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError)
          return
        }
        const sent = list.slice(pseudo().length)
        for (let index = 0; index < sent.length; index += 2) {
          expect(sent[index]).toMatch(/^[!#$%&'*+.^_`|~0-9a-z-]+$/)
          expect(sent[index]).not.toMatch(
            /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade|host)$/,
          )
          expect(sent[index + 1]).toMatch(/^$|^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/)
          if (sent[index] === 'te') expect(sent[index + 1]).toBe('trailers')
        }
      }),
    )
  })
})

describe('trailers', () => {
  it.each<[string, string[] | undefined, Record<string, string[]> | undefined]>([
    ['none', undefined, {}],
    ['several, some twice', ['X-A', '1', 'x-b', '2', 'X-A', '3'], { 'x-a': ['1', '3'], 'x-b': ['2'] }],
    [
      'fields that may not be trailers',
      ['Content-Length', '1', 'Host', 'a', 'grpc-status', '0'],
      { 'grpc-status': ['0'] },
    ],
    ['an invalid field', ['a b', 'c'], undefined],
  ])('%s', (_name, trailers, expected) => {
    const written = writeTrailers(trailers)
    expect(written && { ...written }).toEqual(expected)
  })
})
