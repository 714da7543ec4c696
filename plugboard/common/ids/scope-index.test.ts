import { mountScopeCovers, parseMount, serviceScopeCovers } from '@vera-stack/shared/mounts.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ScopeIndex } from './scope-index.ts'

const service = fc.stringMatching(/^[ab.-]{0,4}\*?$/)
const host = fc.constantFrom('*', '*.b', '*.a.b', 'a.b', 'b', 'c.a.b', '[::1]', 'no host')
const path = fc.stringMatching(/^(\/[ab]{1,2}){0,3}\/?$/)
const mount = fc.tuple(host, path).map(([name, text]) => name + text)

it('covers the same services as the scopes one by one', () => {
  fc.assert(
    fc.property(fc.array(service), service, (services, asked) => {
      const expected = services.some(scope => serviceScopeCovers(scope, asked))
      expect(new ScopeIndex({ services, mounts: [] }).coversService(asked)).toBe(expected)
    }),
  )
})

it('covers the same mounts as the scopes one by one', () => {
  fc.assert(
    fc.property(fc.array(mount), mount, (mounts, text) => {
      const asked = parseMount(text)
      fc.pre(asked.ok)
      if (!asked.ok) return
      const expected = mounts.some(scope => mountScopeCovers(scope, asked.value))
      expect(new ScopeIndex({ services: [], mounts }).coversMount(asked.value)).toBe(expected)
    }),
  )
})
