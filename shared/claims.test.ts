import { expect, it } from 'vitest'
import { claimsSchema, decodeClaims, grantsNothing } from './claims.ts'

it('reads absent scopes as empty, and an empty scope grants no access', () => {
  const claims = claimsSchema.parse({ sub: 'laptop', jti: 't1', exp: 1 })
  expect(claims).toMatchObject({ services: [], mounts: [] })
  expect(grantsNothing(claims)).toBe(true)
  expect(grantsNothing({ services: ['web'], mounts: [] })).toBe(false)
})

it.each([
  { jti: 'x', exp: 1 },
  { sub: 'x', exp: 1 },
  { sub: 'x', jti: 'x' },
  { sub: 'x', jti: 'x', exp: 1, services: 'web' },
  { sub: 'x', jti: 'x', exp: 1, mounts: [1] },
  { sub: 'x', jti: 'x', exp: 1, limits: { tunnels: 0 } },
  { sub: 'x', jti: 'x', exp: 1, limits: { claims: '9' } },
])('refuses %j', claims => {
  expect(claimsSchema.safeParse(claims).success).toBe(false)
})

it('decodes the claims of a token, and returns undefined for other text', () => {
  const part = (value: string): string => Buffer.from(value).toString('base64url')
  const payload = { sub: 'laptop', jti: 't1', exp: 1, services: ['web'] }
  expect(decodeClaims(`x.${part(JSON.stringify(payload))}.x`)).toEqual({ ...payload, mounts: [] })
  for (const text of ['', 'opaque', `x.${part('not json')}.x`, `x.${part('{"sub":1}')}.x`]) {
    expect(decodeClaims(text), text).toBeUndefined()
  }
})
