import { describe, expect, test } from 'vitest'
import { SAMPLE_LINE, sampleExchange } from '../../../../test/support/admin-api/sample-exchange.ts'
import type { ExchangeBody } from '../../../admin/api-types.ts'
import { diffText, exchangeText, messageText } from './exchange-text.ts'
import { givenInspector } from './inspect-flags.ts'

const EXCHANGE: ExchangeBody = sampleExchange({
  request: { ...SAMPLE_LINE, path: '/x', durationMs: 12, service: 'shop' },
  received: {
    method: 'POST',
    target: '/x?a=1',
    fields: [['X-A', '\u001b[31mred']],
    body: { bytes: 100, text: 'line 1\nline 2', isCut: true, omitted: null },
    trailers: [['X-T', 'late']],
  },
  interim: [{ status: 103, fields: [['Link', '</a>']] }],
  sent: {
    status: 200,
    statusText: 'OK',
    isLocal: true,
    fields: [],
    body: { bytes: 7, text: null, isCut: true, omitted: 'type' },
    trailers: null,
  },
})

describe('an exchange as text', () => {
  test('is the line of its request with its id', () => {
    const line = exchangeText({ ...EXCHANGE, open: true, replayOf: 'e0' })
    expect(line).toBe(
      '12:00:00.000  200  POST  a.test/x  12ms  shop  r1  q1  open  replay of e0  exchange e1',
    )
  })

  test('shows both messages without control characters', () => {
    expect(messageText(EXCHANGE)).toBe(
      [
        'POST /x?a=1',
        'X-A: \u{FFFD}[31mred',
        '',
        'line 1',
        'line 2',
        '[100 bytes: only the beginning is kept]',
        '',
        'X-T: late',
        '',
        '103',
        'Link: </a>',
        '',
        '200 OK (from Plugboard)',
        '',
        '[7 bytes: type]',
        '',
      ].join('\n'),
    )
    expect(messageText({ ...EXCHANGE, sent: null })).toContain('no response')
  })

  test('shows the differences of a replay', () => {
    const diff = {
      status: { before: 200, after: 503 },
      fields: [{ name: 'x-a', before: ['1'], after: [] }],
      body: {
        equal: false,
        bytes: { before: 7, after: 9 },
        differences: [{ at: '/a', before: '1', after: null }],
        more: 3,
      },
    }
    expect(diffText({ exchange: EXCHANGE, leftOut: ['Cookie'], diff }).split('\n')).toEqual([
      'status 200 → 503',
      'x-a: 1 → none',
      'body differs, 7 → 9 bytes',
      '  /a: 1 → none',
      '  3 more',
      'left out, because it is masked: Cookie',
      'exchange e1',
    ])
  })
})

describe('the flags of the inspector', () => {
  const NOW = Date.parse('2026-12-01T12:00:00Z')

  test('have a duration from now, and paths to mask', () => {
    expect(givenInspector({}, NOW)).toBeUndefined()
    expect(givenInspector({ inspect: false }, NOW)).toBeNull()
    expect(givenInspector({ inspect: '30m' }, NOW)).toEqual({ until: '2026-12-01T12:30:00.000Z' })
    expect(givenInspector({ inspect: '24h', inspectMask: ['/a'] }, NOW)).toEqual({
      until: '2026-12-02T12:00:00.000Z',
      maskJson: ['/a'],
    })
  })

  test.each([
    [{ inspect: 'soon' }, '--inspect: "soon" is not a duration'],
    [{ inspect: '25h' }, '--inspect: 25h is longer than 24h'],
    [{ inspectMask: ['/a'] }, '--inspect-mask needs --inspect'],
  ])('reject %j', (flags, message) => {
    expect(() => givenInspector(flags, NOW)).toThrow(message)
  })
})
