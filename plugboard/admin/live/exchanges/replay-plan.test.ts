import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { describe, expect, test } from 'vitest'
import { SAMPLE_RECEIVED, sampleExchange } from '../../../../test/support/admin-api/sample-exchange.ts'
import type { ReplayInput } from '../../bodies/requests/replay.ts'
import { replayPlan } from './replay-plan.ts'
import { responseDiff } from './response-diff.ts'

const M = '***0a1b2c'
type Received = CapturedExchange['received']
type Body = NonNullable<Received['body']>

const exchange = (received: Partial<Received> = {}): CapturedExchange =>
  sampleExchange({ received: { ...SAMPLE_RECEIVED, ...received }, maskJson: ['/a'] })

const body = (text: string | null, more: Partial<Body> = {}): Body => ({
  bytes: 9,
  text,
  isCut: text === null,
  omitted: null,
  ...more,
})
const plan = (received: Partial<Received> = {}, edits: ReplayInput = {}) =>
  replayPlan(exchange(received), edits, { maxBodyBytes: 5, maskJson: ['/b'] })
const type = (value: string): [string, string][] => [['Content-Type', value]]

describe('the request of a replay', () => {
  test('repeats the request, without fields of the connection and of the first request', () => {
    const fields: [string, string][] = [
      ['Host', 'a.test:8080'],
      ['Connection', 'close'],
      ['X-A', '1'],
      ['X-Request-ID', 'q1'],
      ['traceparent', '00-x'],
      ['Content-Length', '9'],
      ['Content-Encoding', 'gzip'],
    ]
    expect(plan({ fields, target: '/a?b=1', body: body('text') })).toMatchObject({
      leftOut: [],
      request: {
        host: 'a.test:8080',
        target: '/a?b=1',
        fields: ['X-A', '1'],
        body: Buffer.from('text'),
        clientAddress: '192.0.2.1',
        rules: { maxBodyBytes: 5, maskJson: ['/a', '/b'] },
      },
    })
  })

  test('leaves masked values out', () => {
    const fields: [string, string][] = [
      ['Authorization', `Bearer ${M}`],
      ['X-A', '1'],
      ['Content-Type', 'application/json'],
    ]
    const text = `{"a":1,"password":"${M}","list":["${M}",{"url":"/x?token=${M}"}]}`
    const { request, leftOut } = plan({ fields, target: `/a?token=${M}&b=1`, body: body(text) })
    expect([request.target, request.fields, String(request.body)]).toEqual([
      '/a?b=1',
      ['X-A', '1', 'Content-Type', 'application/json'],
      '{"a":1,"list":[{}]}',
    ])
    expect(leftOut).toEqual(['token', 'Authorization', '/password', '/list/0', '/list/1/url'])
    const form = plan({ fields: type('application/x-www-form-urlencoded'), body: body(`a=1&pin=${M}`) })
    expect([String(form.request.body), form.leftOut]).toEqual(['a=1', ['pin']])
  })

  test('keeps the rest of a JSON body byte for byte', () => {
    const rest = (text: string) => {
      const { request, leftOut } = plan({ fields: type('application/json'), body: body(text) })
      return [String(request.body), leftOut]
    }
    expect(
      rest(`{ "id": 9007199254740993, "pin": "${M}",\n  "price": 1.10, "a": "\\u0041", "a": 2 }`),
    ).toEqual(['{ "id": 9007199254740993,\n  "price": 1.10, "a": "\\u0041", "a": 2 }', ['/pin']])
    expect(rest(`[ 1e400 , "${M}" ]`)).toEqual(['[ 1e400 ]', ['/1']])
    expect(rest(` {"list" : [ "${M}" ] , "x":{ } } `)).toEqual([' {"list" : [] , "x":{ } } ', ['/list/0']])
    expect(rest(`{"${M}":{"pin":"${M}"},"a~/b":["${M}"]}`)).toEqual(['{"a~/b":[]}', [`/${M}`, '/a~0~1b/0']])
    expect(rest(`{"a":"\\"${M}","b":-0.0e-7}`)).toEqual(['{"b":-0.0e-7}', ['/a']])
  })

  test('leaves masked names out', () => {
    const fields: [string, string][] = [[M, '1'], ...type('application/json')]
    const { request, leftOut } = plan({ fields, body: body(`{"a":1,"${M}":2,"b":{"${M}/c":3}}`) })
    expect([request.fields, String(request.body)]).toEqual([
      ['Content-Type', 'application/json'],
      '{"a":1,"b":{}}',
    ])
    expect(leftOut).toEqual([M, `/${M}`, `/b/${M}~1c`])
  })

  test('leaves out the fields that Connection lists', () => {
    const fields: [string, string][] = [
      ['Connection', 'keep-alive, X-Hop'],
      ['connection', 'x-other'],
      ['X-Hop', '1'],
      ['X-Other', '2'],
      ['X-A', '3'],
    ]
    expect(plan({ fields }).request.fields).toEqual(['X-A', '3'])
  })

  test('takes the edits of a person', () => {
    const fields: [string, string][] = [
      ['Authorization', `Bearer ${M}`],
      ['X-A', '1'],
      ['X-B', '2'],
    ]
    const edits = {
      method: 'PUT',
      target: '/new',
      fields: { authorization: 'Bearer x', 'x-a': null, 'X-New': 'y' },
      body: 'z',
      telephone: 'canary',
    }
    expect(plan({ fields, body: body(null) }, edits)).toMatchObject({
      leftOut: [],
      request: {
        method: 'PUT',
        target: '/new',
        fields: ['X-B', '2', 'authorization', 'Bearer x', 'X-New', 'y'],
        body: Buffer.from('z'),
        telephone: 'canary',
      },
    })
    expect(plan({ body: body('text') }, { body: null }).request.body).toBeUndefined()
  })

  test.each<[string, Partial<Received>, ReplayInput, string]>([
    ['a cut body', { body: body('te', { isCut: true }) }, {}, 'too long'],
    ['a body that was left out', { body: body(null, { omitted: 'type' }) }, {}, '(type)'],
    ['a masked text', { fields: type('text/plain'), body: body(`key: ${M}`) }, {}, 'masked values'],
    ['a masked string', { fields: type('application/json'), body: body(`"${M}"`) }, {}, 'masked values'],
    ['a masked path', { target: `/${M}` }, {}, 'masked parts'],
    ['a WebSocket', { fields: [['Upgrade', 'websocket']] }, {}, 'cannot be replayed'],
    ['an unknown method', {}, { method: 'CONNECT' }, 'not a method'],
    [
      'a field that frames the request',
      {},
      { fields: { 'transfer-encoding': 'chunked' } },
      'frames the request',
    ],
  ])('refuses %s', (_, received, edits, text) => {
    expect(() => plan(received, edits)).toThrow(text)
  })
})

describe('the differences of two responses', () => {
  const sent = (text: string, status = 200, fields: [string, string][] = []): CapturedExchange['sent'] => ({
    status,
    statusText: '',
    isLocal: false,
    fields: [['Date', String(Math.random())], ...fields],
    body: { bytes: text.length, text, isCut: false, omitted: null },
    trailers: null,
  })

  test('are empty for equal responses', () => {
    expect(responseDiff(sent('{"a":1}'), sent('{"a":1}'))).toEqual({
      status: { before: 200, after: 200 },
      fields: [],
      body: { equal: true, bytes: { before: 7, after: 7 }, differences: [], more: 0 },
    })
  })

  test('have pointers for JSON, and lines for other texts', () => {
    const json = responseDiff(
      sent('{"a":1,"b":[1,2],"c":"x"}', 200, [['X-A', '1']]),
      sent('{"a":2,"b":[1],"d/e":null}', 503, [
        ['x-a', '2'],
        ['X-B', '3'],
      ]),
    )
    expect(json).toMatchObject({
      status: { before: 200, after: 503 },
      fields: [
        { name: 'x-a', before: ['1'], after: ['2'] },
        { name: 'x-b', before: [], after: ['3'] },
      ],
    })
    expect(json.body.differences).toEqual([
      { at: '/a', before: '1', after: '2' },
      { at: '/b/1', before: '2', after: null },
      { at: '/c', before: 'x', after: null },
      { at: '/d~1e', before: null, after: 'null' },
    ])
    expect(responseDiff(sent('a\nb\nc\nd'), sent('a\nx\nd')).body.differences).toEqual([
      { at: 'line 2', before: 'b', after: 'x' },
      { at: 'line 3', before: 'c', after: null },
    ])
  })

  test('are bounded, and a response may be missing', () => {
    const list = (value: number) => JSON.stringify(Array.from({ length: 300 }, () => value))
    const { body: found } = responseDiff(sent(list(1)), sent(list(2)))
    expect([found.differences.length, found.more]).toEqual([100, 200])
    expect(responseDiff(null, sent('x')).status).toEqual({ before: null, after: 200 })
  })
})
