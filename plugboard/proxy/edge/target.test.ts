import { describe, expect, it } from 'vitest'
import { HostCache, isPlainPath, portOf, resolveDots, splitAbsoluteForm } from './target.ts'

describe('dot segments', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/./b', '/a/b'],
    ['/.', '/'],
    ['/./', '/'],
    ['/a/..', '/'],
    ['/a/../', '/'],
    ['/a/b/%2E%2e/c', '/a/c'],
    ['/a/.%2e/c', '/c'],
    ['/a//../b', '/a/b'],
    ['//../a', '/a'],
    ['/a.b/.c/..d/e..', '/a.b/.c/..d/e..'],
    ['/..;/a', '/..;/a'],
    ['/x/..;/admin', '/x/..;/admin'],
    ['/x/%252e%252e/admin', '/x/%252e%252e/admin'],
    ['/%2f..%2f', '/%2f..%2f'],
    ['/a%', '/a%'],
    ['/..', undefined],
    ['/a/../..', undefined],
    ['/%2e%2e', undefined],
    ['/%00', undefined],
    ['/a\\b', undefined],
    ['/a/..\\b', undefined],
    ['', undefined],
    ['a', undefined],
    ['*', undefined],
  ])('%s', (path, normal) => {
    expect(resolveDots(path)).toBe(normal)
    if (normal !== undefined) expect(resolveDots(normal)).toBe(normal)
    if (isPlainPath(path)) expect(normal).toBe(path)
  })
})

it.each([
  ['http://a/b?c', { authority: 'a', target: '/b?c' }],
  ['HTTPS://a:1', { authority: 'a:1', target: '/' }],
  ['http://a?b', { authority: 'a', target: '/?b' }],
  ['ws://a/', undefined],
  ['http:/a', undefined],
  ['a/b', undefined],
])('absolute form %s', (target, parts) => {
  expect(splitAbsoluteForm(target)).toEqual(parts)
})

it.each([
  ['/', true],
  ['/a.b/c..', true],
  ['/a//b', true],
  ['/.a', false],
  ['/a/..', false],
  ['/a%62', false],
  ['/a\\b', false],
  ['a', false],
])('%s has one spelling only: %s', (path, plain) => {
  expect(isPlainPath(path)).toBe(plain)
})

it.each([
  ['a', undefined],
  ['a:80', '80'],
  ['a:', undefined],
  ['[::1]', undefined],
  ['[::1]:80', '80'],
])('port of %s', (host, port) => {
  expect(portOf(host)).toBe(port)
})

it('caches a bounded number of hosts', () => {
  const cache = new HostCache(2)
  const seen = ['A', 'b.', 'C:80', 'a', 'x y', ''].map(host => cache.normalize(host))
  expect(seen).toEqual(['a', 'b', 'c', 'a', undefined, undefined])
  expect(cache.normalize('[::1]:4000')).toBe('[::1]')
})
