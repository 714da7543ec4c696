import { describe, expect, test } from 'vitest'
import { Cors } from './cors.ts'

const ORIGIN = 'https://app.example.com'
const preflightFields = (origin: string, headers?: string) => [
  'origin',
  origin,
  'Access-Control-Request-Method',
  'PUT',
  ...(headers === undefined ? [] : ['Access-Control-Request-Headers', headers]),
]
const VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'

describe('origins', () => {
  const cors = new Cors({ origins: [ORIGIN, 'https://*.example.org:8443', 'http://*.example.net'] })
  test.each([
    [ORIGIN, true],
    ['https://APP.example.com', false],
    ['http://app.example.com', false],
    ['https://app.example.com:8443', false],
    ['https://app.example.com.evil.test', false],
    ['https://a.example.org:8443', true],
    ['https://b.a.example.org:8443', true],
    ['https://example.org:8443', false],
    ['https://.example.org:8443', false],
    ['https://a.example.org', false],
    ['https://evil.test/.example.org:8443', false],
    ['https://evil.test#.example.org:8443', false],
    ['https://evil.test@a.example.org:8443', false],
    ['https://evilexample.org:8443', false],
    ['http://x.example.net', true],
    ['http://*.example.net', false],
    ['*', false],
    ['null', false],
    ['', false],
  ])('%s → %s', (origin, allowed) => {
    const fields: string[] = []
    cors.apply(fields, origin)
    expect(fields).toEqual(['Vary', 'Origin', ...(allowed ? ['Access-Control-Allow-Origin', origin] : [])])
  })
})

describe('preflights', () => {
  test('list the allowed methods and fields', () => {
    const rules = {
      origins: [ORIGIN],
      methods: ['PUT'],
      headers: ['X-A'],
      credentials: true,
      maxAgeSeconds: 5,
    }
    expect(new Cors(rules).preflight('OPTIONS', preflightFields(ORIGIN, 'x-b'))).toMatchObject({
      status: 204,
      fields: [
        'Access-Control-Allow-Origin',
        ORIGIN,
        'Access-Control-Allow-Credentials',
        'true',
        'Access-Control-Allow-Methods',
        'PUT',
        'Access-Control-Allow-Headers',
        'X-A',
        'Access-Control-Max-Age',
        '5',
        'Vary',
        VARY,
      ],
    })
  })

  test('from other origins get no CORS fields', () => {
    const response = new Cors({ origins: [ORIGIN] }).preflight(
      'OPTIONS',
      preflightFields('https://evil.test'),
    )
    expect(response?.fields).toEqual(['Vary', VARY])
  })

  test.each([
    ['x-a, x-b', 'x-a, x-b'],
    ['x-a,x-b', 'x-a,x-b'],
    ['x-a; x=y', undefined],
    ['<script>', undefined],
    ['x'.repeat(2000), undefined],
    ['', undefined],
  ])('repeat the requested field names if they are valid: %s', (asked, allowed) => {
    const response = new Cors({ origins: ['*'] }).preflight('OPTIONS', preflightFields(ORIGIN, asked))
    const index = response?.fields.indexOf('Access-Control-Allow-Headers') ?? -1
    expect(index === -1 ? undefined : response?.fields[index + 1]).toBe(allowed)
  })

  test.each([
    ['GET', preflightFields(ORIGIN)],
    ['options', preflightFields(ORIGIN)],
    ['OPTIONS', ['Origin', ORIGIN]],
    ['OPTIONS', ['Access-Control-Request-Method', 'PUT']],
    ['OPTIONS', [...preflightFields(ORIGIN), 'Origin', 'https://evil.test']],
  ])('%s %j is not a preflight', (method, fields) => {
    expect(new Cors({ origins: ['*'] }).preflight(method, fields)).toBeUndefined()
  })
})

describe('responses', () => {
  test('CORS fields of the backend are replaced, and Vary is added once', () => {
    const fields = [
      'access-control-allow-origin',
      '*',
      'Vary',
      'Accept',
      'Access-Control-Allow-Credentials',
      'true',
      'vary',
      'accept-encoding',
      'X-A',
      '1',
    ]
    new Cors({ origins: [ORIGIN], exposed: ['X-A', 'X-B'] }).apply(fields, ORIGIN)
    expect(fields).toEqual([
      'Vary',
      'Accept',
      'vary',
      'accept-encoding, Origin',
      'X-A',
      '1',
      'Access-Control-Allow-Origin',
      ORIGIN,
      'Access-Control-Expose-Headers',
      'X-A, X-B',
    ])
  })

  test.each([['Origin'], ['accept, origin'], ['*']])(
    'Vary: %s is kept, because it already covers Origin',
    vary => {
      const fields = ['Vary', vary]
      new Cors({ origins: [ORIGIN] }).apply(fields, undefined)
      expect(fields).toEqual(['Vary', vary])
    },
  )

  test('responses for all origins have no Vary', () => {
    const fields: string[] = []
    new Cors({ origins: ['*'] }).apply(fields, ORIGIN)
    expect(fields).toEqual(['Access-Control-Allow-Origin', '*'])
  })
})
