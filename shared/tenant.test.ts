import { expect, test } from 'vitest'
import { resolveTenant } from './tenant.ts'

test.each([
  ['acme.example.com', 'example.com', 'acme'],
  ['ACME.Example.com:8080', 'example.com', 'acme'],
  ['acme.example.com.', '*.example.com', 'acme'],
  ['eu.acme.example.com', 'example.com', 'eu.acme'],
  ['bücher.example.com', 'Example.com', 'xn--bcher-kva'],
  ['acme.localhost:4000', 'localhost', 'acme'],
  ['example.com', 'example.com', undefined],
  ['example.com.evil.test', 'example.com', undefined],
  ['notexample.com', 'example.com', undefined],
  ['other.test', 'example.com', undefined],
  ['a b.example.com', 'example.com', undefined],
  ['.example.com', 'example.com', undefined],
  ['', 'example.com', undefined],
  ['[::1]', 'example.com', undefined],
])('resolves host "%s" under base "%s" to tenant %s', (host, base, tenant) => {
  expect(resolveTenant(host, base)).toBe(tenant)
})

test('throws TypeError for a base that is not a host', () => {
  expect(() => resolveTenant('a.example.com', '*')).toThrow(TypeError)
})
