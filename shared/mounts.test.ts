import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatMount,
  isOnOrBeneath,
  mountScopeCovers,
  normalizeEscapes,
  normalizeHost,
  parseMount,
  parseServiceName,
  restAfterMount,
  serviceNameOfMount,
  serviceScopeCovers,
} from './mounts.ts'

describe('hosts of requests', () => {
  test.each([
    ['App.Example.COM', 'app.example.com'],
    ['app.example.com:8080', 'app.example.com'],
    ['app.example.com.', 'app.example.com'],
    ['app.example.com.:443', 'app.example.com'],
    ['app.example.com:', 'app.example.com'],
    ['localhost', 'localhost'],
    ['my_app', 'my_app'],
    ['127.0.0.1:4000', '127.0.0.1'],
    ['[::1]:4000', '[::1]'],
    ['[2001:DB8::1]', '[2001:db8::1]'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:0db8:0:0:1:0:0:1]:8080', '[2001:db8::1:0:0:1]'],
    ['[::FFFF:0102:0304]', '[::ffff:1.2.3.4]'],
    ['[1:2:3:4:5:6:7:8:9]', undefined],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['ＡＰＰ.example', 'app.example'],
    ['', undefined],
    ['.', undefined],
    ['a..b', undefined],
    ['a b', undefined],
    ['a@b', undefined],
    ['a/b', undefined],
    ['a:b', undefined],
    ['a:80:80', undefined],
    ['a:65535', 'a'],
    ['a:65536', undefined],
    ['a:99999', undefined],
    ['a:000080', undefined],
    ['[::1]:65536', undefined],
    ['[1:2]', undefined],
    ['[::1%25eth0]', undefined],
    ['[::1', undefined],
    ['[::1]x', undefined],
    ['*.example.com', undefined],
    ['a%00b', undefined],
    ['-a.example', undefined],
    [`${'a'.repeat(64)}.example`, undefined],
    [`${'a.'.repeat(127)}a`, undefined],
    ['é b.example', undefined],
  ])('%j → %j', (written, expected) => expect(normalizeHost(written)).toBe(expected))
})

describe('mounts', () => {
  test.each([
    ['app.localhost/api', 'app.localhost', '/api'],
    ['app.localhost', 'app.localhost', '/'],
    ['app.localhost/', 'app.localhost', '/'],
    ['APP.localhost/Api/', 'app.localhost', '/Api'],
    ['*/', '*', '/'],
    ['*', '*', '/'],
    ['*.example.com/a/b', '*.example.com', '/a/b'],
    ['*.Bücher.example', '*.xn--bcher-kva.example', '/'],
    ['[::1]/x', '[::1]', '/x'],
    ['h/a%2fb;c=1', 'h', '/a%2Fb;c=1'],
    ['h/%e3%83%91', 'h', '/%E3%83%91'],
    ['h/%61dmin%2ephp%7E', 'h', '/admin.php~'],
    ['h/%2541', 'h', '/%2541'],
    ['  h/a ', 'h', '/a'],
  ])('%j', (written, host, path) => {
    const mount = { host, path }
    expect(parseMount(written)).toEqual({ ok: true, value: mount })
    expect(parseMount(formatMount(mount))).toEqual({ ok: true, value: mount })
  })

  test.each([
    ['', /a host, or a host and a path/],
    ['http://h/a', /no scheme/],
    ['h:8080/a', /no port/],
    ['a*.h', /whole labels/],
    ['*.*.h', /whole labels|not a host/],
    ['*.', /not a host/],
    ['/api', /not a host/],
    ['h//a', /empty segment/],
    ['h/a//b', /empty segment/],
    ['h/a/', undefined],
    ['h/a//', /empty segment/],
    ['h/./a', /dot segments/],
    ['h/a/%2E%2e', /dot segments/],
    ['h/a?b', /no query/],
    ['h/a#b', /no query/],
    ['h/a b', /RFC 3986/],
    ['h/ä', /RFC 3986/],
    ['h/a%0', /two hexadecimal/],
    ['h/a%00', /NUL/],
    ['h/_plugboard', /reserved/],
    ['*/_plugboard/x', /reserved/],
    ['h/%5fplug%62oard', /reserved/],
    ['h/_plugboardx', undefined],
    [`h/${'a'.repeat(1024)}`, /at most/],
    ['[::1]:80', /not an IPv6/],
  ])('%j: %s', (written, problem) => {
    const parsed = parseMount(written)
    if (problem === undefined) expect(parsed.ok).toBe(true)
    else expect(parsed).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })

  // Equal to the unit 'binary' of fast-check, which takes a second to build its tables.
  const codePoint = fc
    .integer({ min: 0, max: 0x10_ff_ff - 0x8_00 })
    .map(code => String.fromCodePoint(code < 0xd8_00 ? code : code + 0x8_00))

  test('any string is rejected, or parsed to a normal form that parses to itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: codePoint }), written => {
        const parsed = parseMount(written)
        if (parsed.ok) expect(parseMount(formatMount(parsed.value))).toEqual(parsed)
      }),
    )
  })

  test.each([
    ['/api', '/api', true],
    ['/api/x', '/api', true],
    ['/apix', '/api', false],
    ['/x', '/', true],
    ['/', '/x', false],
  ])('%s on or beneath %s: %s', (path, mount, expected) => expect(isOnOrBeneath(path, mount)).toBe(expected))
})

describe('scopes', () => {
  test.each([
    ['*', 'app.example.com/api', true],
    ['*', '*', true],
    ['*/api', 'app.example.com/api/x', true],
    ['*/api', 'app.example.com/', false],
    ['*.example.com', 'app.example.com/x', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', '*.b.example.com', true],
    ['*.example.com', '*.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'badexample.com', false],
    ['*.example.com', '*', false],
    ['*.b.example.com', '*.example.com', false],
    ['app.example.com/api', 'app.example.com/api', true],
    ['app.example.com/api', 'app.example.com/api/v2', true],
    ['app.example.com/api', 'app.example.com/apix', false],
    ['app.example.com/api', 'app.example.com', false],
    ['app.example.com', '*.example.com', false],
    ['', 'app.example.com', false],
    ['http://x', 'app.example.com', false],
  ])('mount scope %j over %j: %s', (scope, mount, expected) => {
    const parsed = parseMount(mount)
    expect(parsed.ok && mountScopeCovers(scope, parsed.value)).toBe(expected)
  })

  test.each([
    ['*', 'shop', true],
    ['shop', 'shop', true],
    ['shop', 'shop-eu', false],
    ['shop-*', 'shop-eu', true],
    ['shop-*', 'shop', false],
    ['shop-*', 'bookshop-eu', false],
    ['', 'shop', false],
    ['sh*p', 'shop', false],
  ])('service scope %j over %j: %s', (scope, service, expected) => {
    expect(serviceScopeCovers(scope, service)).toBe(expected)
  })
})

describe('service names', () => {
  test.each([
    'a',
    'shop',
    'shop-eu.v2',
    'user_service',
    '0',
    'a'.repeat(63),
    'plugboard.function',
    'a.plugboard.events',
  ])('%s', name => {
    expect(parseServiceName(name)).toEqual({ ok: true, value: name })
  })
  test.each(['', '-a', 'a-', '.a', 'a.', '_a', 'a_', 'A', 'a b', 'a'.repeat(64), crypto.randomUUID()])(
    'not %j',
    name => {
      expect(parseServiceName(name).ok).toBe(false)
    },
  )
  test.each(['plugboard.functions', 'plugboard.placement', 'plugboard.events'])('%s is reserved', name => {
    expect(parseServiceName(name)).toEqual({
      ok: false,
      problem: `the service name ${name} is reserved for Plugboard`,
    })
  })
  test.each([
    ['plugboard.events', 'plugboard-events'],
    ['app.localhost/api', 'app.localhost-api'],
    ['app.localhost', 'app.localhost'],
    ['*', 'any'],
    ['*.example.com/a/b', 'any.example.com-a-b'],
    ['h/A%20b', 'h-a-20b'],
    ['[::1]', '1'],
  ])('of mount %s: %s', (mount, expected) => {
    const parsed = parseMount(mount)
    expect(parsed.ok && serviceNameOfMount(parsed.value)).toBe(expected)
  })
  test('the default name of any mount is a valid service name', () => {
    const host = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/)
    const path = fc.stringMatching(/^(\/[A-Za-z0-9._~-]{1,30}){0,3}$/)
    fc.assert(
      fc.property(host, path, (h, p) => {
        const parsed = parseMount(h + p)
        if (parsed.ok) expect(parseServiceName(serviceNameOfMount(parsed.value))).toMatchObject({ ok: true })
      }),
    )
  })
})

describe('spellings of a path', () => {
  test.each([
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/%61%2d%2E%5f%7e%39', '/a-._~9'],
    ['/%2f%5c%25%3b', '/%2F%5C%25%3B'],
    ['/%%41%4', '/%A%4'],
    ['/%zz%', '/%zz%'],
    ['/plain', '/plain'],
  ])('%s is %s', (path, normal) => {
    expect(normalizeEscapes(path)).toBe(normal)
    expect(decodeOrSame(normalizeEscapes(path))).toBe(decodeOrSame(path))
  })

  const decodeOrSame = (path: string) => {
    try {
      return decodeURIComponent(path)
    } catch {
      return decodeURIComponent(path.replace(/%(?![0-9a-f]{2})/gi, '%25'))
    }
  }

  test('every spelling of a path has the same normal form, and a second pass changes new escapes only', () => {
    const characters = fc.array(fc.constantFrom('a', 'Z', '~', '/', '%2F', '%C3', '%2B'), { maxLength: 8 })
    fc.assert(
      fc.property(characters, fc.infiniteStream(fc.nat(2)), (parts, choices) => {
        const normal = `/${parts.join('')}`
        const respelled = `/${parts.map(part => respell(part, choices.next().value ?? 0)).join('')}`
        expect(normalizeEscapes(respelled)).toBe(normal)
        expect(normalizeEscapes(normal)).toBe(normal)
      }),
    )
  })

  const respell = (part: string, choice: number): string => {
    if (part.length === 3) return choice === 0 ? part : part.toLowerCase()
    const digits = part.charCodeAt(0).toString(16)
    return choice === 0 || part === '/' ? part : `%${choice === 1 ? digits : digits.toUpperCase()}`
  }

  test.each([
    ['/api/users', '/api', '/users'],
    ['/api', '/api', ''],
    ['/api/', '/api', '/'],
    ['/%61pi/%75sers', '/api', '/%75sers'],
    ['/%61/%62', '/a/b', ''],
    ['/%61/%62/', '/a/b', '/'],
    ['/caf%c3%a9//x', '/caf%C3%A9', '//x'],
    ['/x', '/', '/x'],
    ['/', '/', ''],
  ])('behind the mount of %s at %s is %j', (path, mount, rest) => {
    expect(restAfterMount(path, mount)).toBe(rest)
  })
})
