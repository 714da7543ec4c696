import fc from 'fast-check'
import { expect, test } from 'vitest'
import { redact, type ScannedText } from './redact.ts'

/** Behaves like the string and counts how many characters the scanner reads. */
class CountedText implements ScannedText {
  reads = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get length(): number {
    return this.#text.length
  }

  charCodeAt(index: number): number {
    this.reads += 1
    return this.#text.charCodeAt(index)
  }

  slice(start: number, end: number): string {
    return this.#text.slice(start, end)
  }
}

/** Beginnings, middles and ends of each kind of secret, and characters that end them. */
const PARTS = [
  'eyJ',
  'eyJabcd',
  'eyJabcd.',
  'eyJabcd.e',
  '.',
  'J',
  'ey',
  'vsk_',
  'vsk',
  '_',
  '-',
  'a',
  '9',
  'bearer',
  'Bearer ',
  'basic',
  'BASIC  ',
  ' ',
  'Basic abcdefg',
  'bearer abcdefgh',
  '~',
  '+/=',
  '?token=',
  '&key=',
  'key=',
  'api_key=',
  'password',
  'password=',
  'secret=',
  'signature',
  '=',
  '&',
  '?',
  '"token":"',
  '"token":',
  '"token": ',
  '\\"',
  '\\',
  "'",
  "'pwd':'",
  'apikey=',
  '\\"token\\":\\"',
  '://',
  'a://',
  'a://b:',
  'postgres://u:p',
  'http://a@',
  '@',
  ':',
  '/',
  '"',
  '\n',
  '#',
  '…',
  'é',
]
/** Bound of reads per character. Each forward scan starts where the last one ended; other reads look back at short words. */
const MAX_READS = 16

test('reads each character of any text a bounded number of times', () => {
  const piece = fc
    .array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 5 })
    .map(parts => parts.join(''))
  const length = fc.constantFrom(2_000, 20_000)
  fc.assert(
    fc.property(piece, piece, piece, length, (before, pumped, after, size) => {
      const text = new CountedText(before + pumped.repeat(Math.ceil(size / pumped.length)) + after)
      redact(text)
      expect(text.reads).toBeLessThanOrEqual(MAX_READS * text.length)
    }),
    { numRuns: 1_000 },
  )
})

test.each(PARTS)('a long run of %j costs a bounded number of reads per character', part => {
  for (const end of ['', ...PARTS]) {
    const text = new CountedText(part.repeat(5_000) + end)
    redact(text)
    expect(text.reads).toBeLessThanOrEqual(MAX_READS * text.length)
  }
})

test.each([
  ['connect postgres://app:hunter2@db/x failed', 'connect postgres://app:***@db/x failed'],
  ['postgres://app:p@ss:w@db/x', 'postgres://app:***@db/x'],
  ['postgres://app:pass…', 'postgres://app:***…'],
  ['https://user@example.com:8443/a@b:c', 'https://user@example.com:8443/a@b:c'],
  ['Authorization: Bearer abcdefgh12345', 'Authorization: Bearer ***'],
  ['authorization: basic   dXNlcjpwYXNz', 'authorization: basic   ***'],
  ['the bearer of news', 'the bearer of news'],
  ['abasic abcdefghijkl', 'abasic abcdefghijkl'],
  ['key vsk_abc_def.', 'key vsk_***.'],
  ['token eyJhbGciOi.eyJzdWIi.c2ln rejected', 'token *** rejected'],
  ['a JWE eyJhbGciOi.a.b.c.d, too', 'a JWE ***, too'],
  ['cut: eyJhbGciOi.eyJzd…', 'cut: ***…'],
  ['eyJhbGciOi is no JWT', 'eyJhbGciOi is no JWT'],
  ['GET /a?x=1&token=abc&y=2', 'GET /a?x=1&token=***&y=2'],
  ['/a?X-Amz-Signature=0123&client_secret=x#y', '/a?X-Amz-Signature=***&client_secret=***#y'],
  ['host=db password=hunter2 user=app', 'host=db password=*** user=app'],
  ['/a?api_key=x&monkey=y', '/a?api_key=***&monkey=y'],
  ['expected key=value', 'expected key=value'],
  ['/a?apikey=x&APIKEY=y', '/a?apikey=***&APIKEY=***'],
  ['passwd=hunter2 pwd=x', 'passwd=*** pwd=***'],
  ['/a?accessToken=x&dbpassword=y', '/a?accessToken=***&dbpassword=***'],
  ['{"token":"abc","a":1}', '{"token":"***","a":1}'],
  ['{"access_token" : "abc"}', '{"access_token" : "***"}'],
  ['{"api_key":  "a\\"b", "key": "c"}', '{"api_key":  "***", "key": "c"}'],
  ["{'password': 'it\\'s'}", "{'password': '***'}"],
  ['body "{\\"clientSecret\\":\\"abc\\",\\"a\\":1}"', 'body "{\\"clientSecret\\":\\"***\\",\\"a\\":1}"'],
  ['{"token":"abc…', '{"token":"***…'],
  ['{"token":"abc\\', '{"token":"***'],
  ['{"token":"","a":"b"}', '{"token":"","a":"b"}'],
  ['{"token":12}', '{"token":12}'],
  ['unexpected token: "x"', 'unexpected token: "x"'],
  ['?token=eyJhbGciOi.eyJzdWIi.c2ln', '?token=***'],
  ['', ''],
])('redacts %j', (text, expected) => {
  expect(redact(text)).toBe(expected)
})

test('a text without a secret is returned as it is', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9/.,-]*$/), text => {
      expect(redact(text)).toBe(text)
    }),
  )
})

test('replaces a secret in any surrounding text', () => {
  const secret = 'hunter2hunter2'
  const carriers = [
    `Bearer ${secret}`,
    `?token=${secret}`,
    `vsk_${secret}`,
    `a://b:${secret}@c`,
    `apikey=${secret}`,
    `{"token": "${secret}"}`,
    `eyJaaaa.${secret}`,
  ]
  const around = fc.array(fc.constantFrom(' ', '\n', '"', ' x ', ' eyJ ', ' ://a ', ' bearer x '), {
    maxLength: 6,
  })
  fc.assert(
    fc.property(around, fc.constantFrom(...carriers), around, (before, carrier, after) => {
      const text = `${before.join('')} ${carrier} ${after.join('')}`
      expect(redact(text)).not.toContain(secret)
    }),
  )
})
