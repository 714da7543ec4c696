// Secrets in field values, URLs, and bodies of each type. A secret of a test contains `hunter2`, so that each leak is found.

import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BodyMasker } from './mask-body.ts'
import { maskFields } from './mask-fields.ts'
import { maskUrl } from './mask-pairs.ts'
import { maskHtml, maskText } from './mask-text.ts'
import { maskKeyOf, valueMask } from './value-mask.ts'

const mask = valueMask(Buffer.alloc(32, 1))
const SECRET = 'hunter2hunter2'
const M = mask(SECRET)
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl'

const masker = (...paths: string[]) =>
  new BodyMasker(
    mask,
    paths.map(path => path.split('/').slice(1)),
  )

interface BodyOptions {
  readonly isCut?: boolean
  readonly contentEncoding?: string
  readonly paths?: readonly string[]
  readonly maxBytes?: number
}

const body = (contentType: string, content: string | Buffer, options: BodyOptions = {}) => {
  const { isCut = false, contentEncoding = '', paths = [], maxBytes = 65_536 } = options
  return masker(...paths).body({ bytes: Buffer.from(content), isCut, contentType, contentEncoding }, maxBytes)
}

const json = async (content: string, options: BodyOptions = {}) =>
  await body('application/json', content, options)

describe('a masked value', () => {
  test('has 6 hex digits, and is equal for equal values only', () => {
    expect(M).toMatch(/^\*\*\*[0-9a-f]{6}$/)
    expect(mask(SECRET)).toBe(M)
    expect(mask('other')).not.toBe(M)
    expect(valueMask()(SECRET)).not.toBe(valueMask()(SECRET))
  })

  test('is the same on replicas with the same cluster secret', async () => {
    const [one, same, other] = await Promise.all(
      ['a'.repeat(32), 'a'.repeat(32), 'b'.repeat(32)].map(maskKeyOf),
    )
    expect(valueMask(one)(SECRET)).toBe(valueMask(same)(SECRET))
    expect(valueMask(one)(SECRET)).not.toBe(valueMask(other)(SECRET))
  })
})

describe('header fields', () => {
  test.each([
    ['Authorization', `Bearer ${SECRET}`, `Bearer ${M}`],
    ['Proxy-Authorization', `basic ${SECRET}`, `basic ${M}`],
    ['authorization', SECRET, M],
    ['Authorization', `${SECRET} x`, mask(`${SECRET} x`)],
    ['Cookie', `theme=dark; sid=${SECRET}`, `theme=${mask('dark')}; sid=${M}`],
    ['Cookie', SECRET, M],
    ['Set-Cookie', `sid=${SECRET}; Path=/; HttpOnly`, `sid=${M}; Path=/; HttpOnly`],
    ['X-Api-Key', SECRET, M],
    ['X-Session', SECRET, M],
    ['apikey', SECRET, M],
    ['X_AUTH_TOKEN', SECRET, M],
    ['X-CSRF', SECRET, M],
    ['X-Db-Pass', SECRET, M],
    ['X-UserPwd', SECRET, M],
    ['X-Passenger', 'Ada', 'Ada'],
    ['Sec-WebSocket-Protocol', `bearer.${SECRET}`, mask(`bearer.${SECRET}`)],
    ['Location', `https://me:${SECRET}@a.test/b?c=1`, `https://${mask(`me:${SECRET}`)}@a.test/b?c=1`],
    ['Location', `/done#access_token=${SECRET}&x=1`, `/done#access_token=${M}&x=1`],
    ['Referer', `https://a.test/?code=${SECRET}`, `https://a.test/?code=${M}`],
    ['Link', `<https://a.test/?token=${SECRET}>; rel=next`, `<https://a.test/?token=${M}>; rel=next`],
    ['X-Debug', `user=1 password=${SECRET}`, `user=1 password=${M}`],
    ['X-Debug', JWT, mask(JWT)],
    ['X-Config', `{"a":{"secret":"${SECRET}"}}`, `{"a":{"secret":"${M}"}}`],
    ['Accept', 'text/html;q=0.9, */*', 'text/html;q=0.9, */*'],
    ['X-Token', '', ''],
  ])('%s: %s', (name, value, masked) => {
    expect(maskFields([name, value], masker())).toEqual([[name, masked]])
  })
})

describe('URLs', () => {
  test.each([
    [`/a?token=${SECRET}&b=2`, `/a?token=${M}&b=2`],
    [`/a?b=2;api%5Fkey=${SECRET}`, `/a?b=2;api%5Fkey=${M}`],
    [`/a?user[password]=${SECRET}`, `/a?user[password]=${M}`],
    [`/cart;jsessionid=${SECRET}?x=1`, `/cart;jsessionid=${M}?x=1`],
    [`/a?next=${encodeURIComponent(`/b?token=${SECRET}`)}`, `/a?next=${encodeURIComponent(`/b?token=${M}`)}`],
    [
      `/a?json=${encodeURIComponent(`{"pin":1234}`)}`,
      `/a?json=${encodeURIComponent(`{"pin":"${mask('1234')}"}`)}`,
    ],
    [`/${JWT}/x`, `/${mask(JWT)}/x`],
    ['/a?page=1&sort=name', '/a?page=1&sort=name'],
    ['/a?bad=%zz', '/a?bad=%zz'],
  ])('%s', (url, masked) => {
    expect(maskUrl(url, masker())).toBe(masked)
  })
})

describe('JSON', () => {
  test.each([
    [`{"password" : "${SECRET}", "a": 1}`, `{"password" : "${M}", "a": 1}`],
    [`{"user":{"apiKey":"${SECRET}"}}`, `{"user":{"apiKey":"${M}"}}`],
    [`{"\\u0074oken":"${SECRET}"}`, `{"\\u0074oken":"${M}"}`],
    [`{"secrets":["${SECRET}",1]}`, `{"secrets":"${mask(`["${SECRET}",1]`)}"}`],
    [
      '{"pin":1234,"hasPassword":true,"token":null}',
      `{"pin":"${mask('1234')}","hasPassword":true,"token":null}`,
    ],
    [`[{"url":"https://a.test/?sig=${SECRET}"}]`, `[{"url":"https://a.test/?sig=${M}"}]`],
    [`{"raw":"{\\"token\\":\\"${SECRET}\\"}"}`, `{"raw":"{\\"token\\":\\"${M}\\"}"}`],
    [`{"a":1}\n{"token":"${SECRET}"}\n`, `{"a":1}\n{"token":"${M}"}\n`],
    ['{"code":"not_found","n":-1.5e3}', '{"code":"not_found","n":-1.5e3}'],
  ])('%s', async (content, masked) => {
    expect(await json(content)).toEqual({ text: masked, isCut: false, omitted: undefined })
  })

  test('masks the values at the paths of maskJson', async () => {
    const paths = ['/card/number', '/items/*/price', '/items/1']
    const content = `{"card":{"number":"${SECRET}"},"items":[{"price":5,"n":1},{"price":6}]}`
    const expected = `{"card":{"number":"${M}"},"items":[{"price":"${mask('5')}","n":1},"${mask('{"price":6}')}"]}`
    expect((await json(content, { paths })).text).toBe(expected)
  })

  test.each([
    ['within a secret', `{"a":"b","password":"${SECRET}`, '{"a":"b","password":"***'],
    ['within an object that is secret', `{"session":{"id":"${SECRET}"`, '{"session":"***'],
    ['within a plain string', `{"a":"${SECRET}`, '{"a":'],
    ['within a name', '{"a":1,"passw', '{"a":1,'],
  ])('a text that is cut %s shows no part of it', async (_, content, start) => {
    const { text, isCut } = await json(content, { isCut: true })
    expect([text?.startsWith(start), text?.includes('hunter2'), isCut]).toEqual([true, false, true])
  })

  test.each([
    [`{"a":1,oops "password":"${SECRET}"}`, '{"a":1,'],
    [`{'password':'${SECRET}'}`, '{'],
    [`{"a":"b"} // password ${SECRET}`, '{"a":"b"} '],
    [`[1,2 3,"${SECRET}"]`, '[1,2 '],
  ])('leaves out what follows the first malformed character of %s', async (content, text) => {
    expect(await json(content)).toEqual({ text, isCut: true, omitted: 'malformed' })
  })

  test('leaves out what is nested too deep', async () => {
    const { text, omitted } = await json(`${'['.repeat(100)}"${SECRET}"${']'.repeat(100)}`)
    expect([text?.includes('hunter2'), omitted]).toEqual([false, 'malformed'])
  })

  test('shows no secret of any document, whole or cut', async () => {
    const secret = fc.stringMatching(/^[a-z]{0,3}$/).map(text => `${text}hunter2`)
    const names = fc.constantFrom('token', 'my_secret', 'ApiKey', 'PASSWORD', 'sessionId')
    const tree = fc.letrec(tie => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.boolean(),
        fc.integer(),
        fc.constant('text "quoted"'),
        tie('object'),
        tie('array'),
      ),
      array: fc.array(tie('value'), { maxLength: 3 }),
      object: fc
        .tuple(fc.dictionary(fc.constantFrom('a', 'b"', 'ü'), tie('value'), { maxKeys: 3 }), names, secret)
        .map(([members, name, value]) => ({ ...(members as object), [name]: value })),
    }))
    await fc.assert(
      fc.asyncProperty(tree.object, fc.double({ min: 0, max: 1, noNaN: true }), async (value, part) => {
        const text = JSON.stringify(value)
        const whole = await json(text)
        expect(whole.isCut).toBe(false)
        expect(JSON.parse(whole.text ?? '')).toBeDefined()
        const cut = await json(text.slice(0, Math.floor(text.length * part)), { isCut: true })
        expect(`${whole.text} ${cut.text}`).not.toContain('hunter2')
      }),
      { numRuns: 200 },
    )
  })
})

describe('other bodies', () => {
  test.each([
    [
      'application/x-www-form-urlencoded',
      `user=a&password=${SECRET}&code=${SECRET}`,
      `user=a&password=${M}&code=${M}`,
    ],
    ['text/plain', `password: ${SECRET}\nname: x`, `password: ${M}\nname: x`],
    [
      'text/plain',
      `Authorization: Basic ${SECRET}\nCookie: a=${SECRET}`,
      `Authorization: ${mask(`Basic ${SECRET}`)}\nCookie: ${mask(`a=${SECRET}`)}`,
    ],
    [
      'application/xml',
      `<user><password a="1">${SECRET}</password></user>`,
      `<user><password a="1">${M}</password></user>`,
    ],
    ['text/yaml', `db:\n  secret: "${SECRET}"`, `db:\n  secret: "${M}"`],
    ['', `{"token":"${SECRET}"}`, `{"token":"${M}"}`],
    ['application/vnd.api+json; charset=utf-8', `{"token":"${SECRET}"}`, `{"token":"${M}"}`],
  ])('%s', async (type, content, text) => {
    expect(await body(type, content)).toEqual({ text, isCut: false, omitted: undefined })
  })

  test('masks the values of form elements, and data attributes, in HTML', () => {
    const html = `<p>Hi</p><input type="hidden" name="csrf_token" value="${SECRET}"><b data-token="${SECRET}">`
    expect(maskHtml(html, mask)).toBe(
      `<p>Hi</p><input type="hidden" name="csrf_token" value="${M}"><b data-token="${M}">`,
    )
  })

  test('masks the parts of a form by name and type, and leaves files out', async () => {
    const form = [
      ['form-data; name="user"', '', 'ada'],
      ['form-data; name="password"', '', SECRET],
      ['form-data; name="meta"', 'Content-Type: application/json\r\n', `{"token":"${SECRET}"}`],
      ['form-data; name="file"; filename="a.txt"', 'Content-Type: text/plain\r\n', SECRET],
    ]
      .map(
        ([disposition, type, content]) =>
          `--B\r\nContent-Disposition: ${disposition}\r\n${type}\r\n${content}\r\n`,
      )
      .join('')
    const { text, isCut } = await body('multipart/form-data; boundary="B"', `${form}--B--\r\n`)
    expect(text).not.toContain('hunter2')
    expect([text?.includes('ada'), text?.includes(M), text?.includes(`{"token":"${M}"}`), isCut]).toEqual([
      true,
      true,
      true,
      true,
    ])
    for (let end = 0; end < form.length; end += 7) {
      const cut = await body('multipart/form-data; boundary=B', form.slice(0, end), { isCut: true })
      expect(cut.text ?? '').not.toContain('hunter2')
    }
    expect(await body('multipart/form-data', form)).toMatchObject({ omitted: 'malformed' })
  })

  test.each([
    ['application/octet-stream', SECRET, 'type'],
    ['image/png', SECRET, 'type'],
    ['application/grpc', SECRET, 'type'],
    ['text/csv', `password\n${SECRET}`, 'type'],
    ['text/plain; charset=utf-16', SECRET, 'charset'],
    ['text/plain', Buffer.from([0xff, 0xfe, 0x68]), 'charset'],
  ])('leaves out a body of the type %s', async (type, content, omitted) => {
    expect(await body(type, content)).toEqual({ text: undefined, isCut: true, omitted })
  })

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ])('decodes %s, also when it is cut or too long', async (contentEncoding, compress) => {
    const content = `{"token":"${SECRET}","list":[${'1234567,'.repeat(5000)}1]}`
    const bytes = compress(Buffer.from(content))
    expect((await json(content)).isCut).toBe(false)
    const whole = await body('application/json', bytes, { contentEncoding })
    expect([whole.text?.slice(0, 10), whole.text?.length, whole.isCut]).toEqual([
      '{"token":"',
      content.length - SECRET.length + 9,
      false,
    ])
    const long = await body('application/json', bytes, { contentEncoding, maxBytes: 100 })
    expect([long.text?.includes('hunter2'), long.isCut, (long.text ?? '').length <= 100]).toEqual([
      false,
      true,
      true,
    ])
    const half = await body('application/json', bytes.subarray(0, bytes.length / 2), {
      contentEncoding,
      isCut: true,
    })
    expect([(half.text ?? '').includes('hunter2'), half.isCut]).toEqual([false, true])
  })

  test('leaves out a body with an unknown coding, and one that is not what it claims', async () => {
    expect(await body('text/plain', SECRET, { contentEncoding: 'gzip' })).toMatchObject({
      omitted: 'encoding',
    })
    expect(await body('text/plain', SECRET, { contentEncoding: 'gzip, br' })).toMatchObject({
      omitted: 'encoding',
    })
    expect(await body('text/plain', SECRET, { contentEncoding: 'compress' })).toMatchObject({
      omitted: 'encoding',
    })
  })

  test('ends in time for long texts that almost match', () => {
    // A scan in quadratic time would take minutes.
    for (const part of ['a', '<password ', 'password', '"', 'token=', '://', '\\"', 'eyJ', 'key:']) {
      const text = part.repeat(Math.ceil(262_144 / part.length))
      maskText(text, mask)
      maskHtml(text, mask)
      maskUrl(`/?${text}`, masker())
    }
  })
})
