import { parseMount } from '@vera-stack/shared/mounts.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MountIndex } from './mount-index.ts'

const mountOf = (text: string) => {
  const parsed = parseMount(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

it('finds the mount above, beneath or at another one, and no neighbour', () => {
  const index = new MountIndex<string>()
  for (const text of ['a.test/x', 'b.test', 'c.test/x/y']) index.add(mountOf(text), text)
  expect(index.inTheWayOf(mountOf('a.test/x'))).toBe('a.test/x')
  expect(index.inTheWayOf(mountOf('a.test/x/y'))).toBe('a.test/x')
  expect(index.inTheWayOf(mountOf('b.test/any/path'))).toBe('b.test')
  expect(index.inTheWayOf(mountOf('c.test'))).toBe('c.test/x/y')
  expect(index.inTheWayOf(mountOf('c.test/x'))).toBe('c.test/x/y')
  expect(index.inTheWayOf(mountOf('a.test/xy'))).toBeUndefined()
  expect(index.inTheWayOf(mountOf('*.test/x'))).toBeUndefined()
})

it('decides as a comparison with each mount does', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 }).map(parts => `/${parts.join('/')}`)
  const mount = fc.record({ host: fc.constantFrom('x.test', '*'), path })
  const withSlash = (text: string) => (text === '/' ? text : `${text}/`)
  fc.assert(
    fc.property(fc.array(mount, { maxLength: 8 }), mount, (present, asked) => {
      const index = new MountIndex<object>()
      for (const each of present) index.add(each, each)
      const conflicts = present.filter(
        ({ host, path: other }) =>
          host === asked.host &&
          (withSlash(other).startsWith(withSlash(asked.path)) ||
            withSlash(asked.path).startsWith(withSlash(other))),
      )
      expect(index.inTheWayOf(asked) !== undefined).toBe(conflicts.length > 0)
    }),
  )
})
