import { describe, expect, it } from 'vitest'
import { type BackendRequest, RequestError } from '../backend-exchange.ts'
import { lastChunk, writeRequestHead } from './request-head.ts'

const write = (request: Partial<BackendRequest>) =>
  writeRequestHead(
    { method: 'GET', target: '/', fields: [], upgrade: false, ended: true, ...request },
    { kind: 'preserve', fallback: 'backend' },
  )

describe('a request head', () => {
  it('has the framing that the request needs', () => {
    expect(write({})).toMatchObject({ framing: 'none', text: 'GET / HTTP/1.1\r\nHost: backend\r\n\r\n' })
    expect(write({ method: 'POST' }).text).toContain('\r\nContent-Length: 0\r\n')
    expect(write({ fields: ['Content-Length', '0'] })).toMatchObject({ framing: 'none' })
    expect(write({ fields: ['content-length', '7'], ended: false })).toMatchObject({
      framing: 'length',
      contentLength: 7,
    })
    expect(write({ ended: false })).toMatchObject({ framing: 'chunked' })
    const chunked = write({ fields: ['Transfer-Encoding', 'chunked', 'TRANSFER-ENCODING', 'gzip'] })
    expect(chunked.text.match(/transfer-encoding/gi)).toHaveLength(1)
    expect(write({ upgrade: true, ended: false })).toMatchObject({ framing: 'raw' })
  })

  it('has one Host according to the rule', () => {
    const fixed = { kind: 'fixed', host: 'fixed.example' } as const
    const request = { method: 'GET', target: '/', fields: ['hOst', 'given'], upgrade: false, ended: true }
    expect(writeRequestHead(request, fixed).text).toBe('GET / HTTP/1.1\r\nhOst: fixed.example\r\n\r\n')
    expect(writeRequestHead({ ...request, fields: [] }, fixed).text).toContain('Host: fixed.example')
    expect(write({ fields: ['Host', 'given'] }).text).toContain('Host: given')
  })

  it.each<[string, Partial<BackendRequest>]>([
    ['a line break in a value', { fields: ['A', 'b\r\nC: d'] }],
    ['a bare CR in a value', { fields: ['A', 'b\rc'] }],
    ['a NUL in a value', { fields: ['A', 'b\0'] }],
    ['a name that is no token', { fields: ['A b', 'c'] }],
    ['an empty name', { fields: ['', 'c'] }],
    ['a blank in the target', { target: '/a b' }],
    ['a line break in the target', { target: '/a HTTP/1.1\r\nB: c' }],
    ['an empty target', { target: '' }],
    ['a method that is no token', { method: 'GET /x' }],
    ['two lengths', { fields: ['Content-Length', '1', 'content-length', '1'] }],
    ['a length that is no number', { fields: ['Content-Length', '-1'] }],
    ['a length and chunks', { fields: ['Content-Length', '1', 'Transfer-Encoding', 'chunked'] }],
    ['two hosts', { fields: ['Host', 'a', 'Host', 'a'] }],
    ['an upgrade with a body', { fields: ['Content-Length', '3'], upgrade: true, ended: false }],
  ])('is never written with %s', (_name, request) => {
    expect(() => write(request)).toThrow(RequestError)
  })
})

it('the last chunk has trailers, except those for framing, routing or authentication', () => {
  expect(lastChunk(undefined)).toBe('0\r\n\r\n')
  expect(lastChunk(['X-A', '1', 'Content-Length', '9', 'Host', 'x', 'Authorization', 'y'])).toBe(
    '0\r\nX-A: 1\r\n\r\n',
  )
  expect(lastChunk(['Bad Name', '1'])).toBeUndefined()
  expect(lastChunk(['A', '1\r\nB: 2'])).toBeUndefined()
})
