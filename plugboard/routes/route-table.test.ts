import { isOnOrBeneath } from '@vera-stack/shared/mounts.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Random, randomInteger, seededRandom } from '../../test/support/seeded-random.ts'
import { RouteTable } from './route-table.ts'

function tableOf(...mounts: readonly (readonly [host: string, path: string])[]): RouteTable<string> {
  const table = new RouteTable<string>()
  for (const [host, path] of mounts) table.set(host, path, `${host}${path}`)
  return table
}

describe('hosts', () => {
  const table = tableOf(['app.test', '/'], ['*.test', '/'], ['*.a.test', '/'], ['*', '/'])
  test.each([
    ['app.test', 'app.test/'],
    ['other.test', '*.test/'],
    ['deep.other.test', '*.test/'],
    ['x.a.test', '*.a.test/'],
    ['y.x.a.test', '*.a.test/'],
    ['a.test', '*.test/'],
    ['test', '*/'],
    ['test.com', '*/'],
    ['[::1]', '*/'],
    ['xapp.test', '*.test/'],
  ])('%s', (host, expected) => expect(table.match(host, '/p')).toBe(expected))
})

describe('paths', () => {
  const table = tableOf(['h', '/api'], ['h', '/a/b/c'], ['h', '/a/x'])
  test.each([
    ['/api', 'h/api'],
    ['/api/', 'h/api'],
    ['/api/v1/users', 'h/api'],
    ['/api//x', 'h/api'],
    ['/apix', undefined],
    ['/API', undefined],
    ['/', undefined],
    ['/a', undefined],
    ['/a/b', undefined],
    ['/a/b/', undefined],
    ['/a/b/c', 'h/a/b/c'],
    ['/a/b/c/d', 'h/a/b/c'],
    ['/a/b/cd', undefined],
    ['/a/x/y', 'h/a/x'],
  ])('%s', (path, expected) => expect(table.match('h', path)).toBe(expected))
})

test('a host pattern without a mount for the path falls through to the next one', () => {
  const table = tableOf(['app.test', '/api'], ['*.test', '/web'], ['*', '/'])
  expect(table.match('app.test', '/api/x')).toBe('app.test/api')
  expect(table.match('app.test', '/web/x')).toBe('*.test/web')
  expect(table.match('app.test', '/else')).toBe('*/')
  table.delete('*', '/')
  expect(table.match('app.test', '/else')).toBeUndefined()
})

/** A slow and obvious twin: it checks every mount, and returns the match with the best host pattern. */
function naiveMatch(mounts: ReadonlyMap<string, readonly [string, string]>, host: string, path: string) {
  const rank = (pattern: string) => (pattern === '*' ? 0 : pattern.startsWith('*.') ? pattern.length : 1_000)
  const fits = (pattern: string) =>
    pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
  let best: readonly [string, string] | undefined
  for (const mount of mounts.values()) {
    if (!fits(mount[0]) || !isOnOrBeneath(path, mount[1])) continue
    if (best === undefined || rank(mount[0]) > rank(best[0])) best = mount
  }
  return best === undefined ? undefined : best.join('')
}

const segment = fc.constantFrom('a', 'b', 'ab', 'A')
const pathArbitrary = fc.array(segment, { maxLength: 4 }).map(segments => `/${segments.join('/')}`)
const hostArbitrary = fc.constantFrom('a.test', 'b.a.test', 'c.b.a.test', 'test', 'other')
const patternArbitrary = fc.constantFrom(
  'a.test',
  'b.a.test',
  '*.a.test',
  '*.b.a.test',
  '*.test',
  '*',
  'other',
)

test('it returns the same results as its naive twin after random edits', () => {
  const edit = fc.tuple(fc.boolean(), patternArbitrary, pathArbitrary)
  fc.assert(
    fc.property(
      fc.array(edit, { maxLength: 60 }),
      fc.array(fc.tuple(hostArbitrary, pathArbitrary)),
      (edits, requests) => {
        const table = new RouteTable<string>()
        const mounts = new Map<string, readonly [string, string]>()
        for (const [add, host, path] of edits) {
          const overlaps = [...mounts.values()].some(
            other =>
              other[0] === host &&
              other[1] !== path &&
              (isOnOrBeneath(path, other[1]) || isOnOrBeneath(other[1], path)),
          )
          if (add && !overlaps) {
            table.set(host, path, host + path)
            mounts.set(host + path, [host, path])
          } else if (!add) {
            expect(table.delete(host, path)).toBe(mounts.delete(host + path))
          }
        }
        for (const [host, path] of requests)
          expect(table.match(host, path)).toBe(naiveMatch(mounts, host, path))
        for (const [host, path] of mounts.values()) expect(table.match(host, path)).toBeDefined()
      },
    ),
    { numRuns: 500 },
  )
})

/** Returns mounts beneath a few shared parents, so that exact hosts, wildcards and `*` match the same hosts. */
function crowd(size: number, random: Random): Map<string, readonly [host: string, path: string]> {
  const label = () => `l${randomInteger(random, 0, Math.ceil(size / 4))}`
  const parents = ['com', 'a.com', 'b.a.com', 'c.b.a.com', 'test']
  // Mounts are terminal, so a host has either its root or paths under it.
  const rooted = new Map<string, boolean>()
  const mounts = new Map<string, readonly [string, string]>([['*/any', ['*', '/any']]])
  while (mounts.size < size) {
    const parent = parents[randomInteger(random, 0, parents.length - 1)]!
    const name = random() < 0.5 ? `${label()}.${parent}` : `${label()}.${label()}.${parent}`
    const host = random() < 0.4 ? `*.${name}` : random() < 0.01 ? `*.${parent}` : name
    const root = rooted.get(host) ?? random() < 0.5
    rooted.set(host, root)
    const path = root ? '/' : `/${label()}`
    mounts.set(host + path, [host, path])
  }
  return mounts
}

test.each([10, 100_000])('it returns the same results as its naive twin for %i hosts', size => {
  const random = seededRandom(size)
  const mounts = crowd(size, random)
  const table = new RouteTable<string>()
  for (const [host, path] of mounts.values()) table.set(host, path, host + path)
  const known = [...mounts.values()]
  // The twin checks every mount at every lookup, so large tables get few lookups.
  for (let count = size > 1000 ? 6 : 200; count > 0; count -= 1) {
    const [pattern, path] = known[randomInteger(random, 0, known.length - 1)]!
    const name = pattern === '*' ? 'elsewhere.test' : pattern.replace(/^\*\./, '')
    const host = [name, `x.${name}`, `y.x.${name}`, `x${name}`, name.slice(name.indexOf('.') + 1)]
    for (const each of host) {
      for (const request of [path, `${path === '/' ? '' : path}/more`, '/any/x']) {
        expect(table.match(each, request), `${each}${request}`).toBe(naiveMatch(mounts, each, request))
      }
    }
  }
})

test('finds each of 100,000 mounts on 10,000 hosts, and no neighbour', () => {
  const table = new RouteTable<number>()
  const mounts = Array.from(
    { length: 100_000 },
    (_, index) => [`h${index % 10_000}.test`, `/m${index}/x`] as const,
  )
  for (const [index, [host, path]] of mounts.entries()) table.set(host, path, index)
  for (const [index, [host, path]] of mounts.entries()) {
    if (table.match(host, `${path}/rest`) !== index) expect.fail(`${host}${path}`)
    if (table.match(host, `${path}y`) !== undefined) expect.fail(`${host}${path}y`)
  }
  for (const [host, path] of mounts) table.delete(host, path)
  for (const [host, path] of mounts) if (table.match(host, path) !== undefined) expect.fail(`${host}${path}`)
  expect(table.hasHost('h1.test')).toBe(false)
})
