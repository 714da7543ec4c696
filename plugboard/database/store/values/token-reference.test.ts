import fc from 'fast-check'
import { expect, it } from 'vitest'
import { asTokenId } from '../../../common/ids/row-ids.ts'
import { holderText, tokenText } from './token-reference.ts'

const outside = (issuer: string, id: string) => ({ kind: 'outside', issuer, subject: id, id }) as const

it('names a token of ours by its id, and a token of an outside issuer by both', () => {
  expect(tokenText({ kind: 'own', id: asTokenId('id-1') })).toBe('id-1')
  const token = { kind: 'outside', issuer: 'https://id.test', subject: 'device 7', id: 'a#b' } as const
  expect(tokenText(token)).toBe('https://id.test#jti:a%23b')
  expect(holderText(token)).toBe('https://id.test#sub:device%207')
})

it('gives each token a different text that is short enough for the change log', () => {
  // Few characters, with the separators, so that the test would find collisions.
  const part = fc.oneof(
    fc.string({ unit: fc.constantFrom('#', ':', '%', 'a', 'jti', '\ud800'), maxLength: 6 }),
    fc.string({ unit: fc.constantFrom('#', 'ä', 'x'), minLength: 200, maxLength: 255 }),
  )
  fc.assert(
    fc.property(part, part, part, part, (issuer, id, otherIssuer, otherId) => {
      const [text, other] = [tokenText(outside(issuer, id)), tokenText(outside(otherIssuer, otherId))]
      const same = issuer === otherIssuer && id.toWellFormed() === otherId.toWellFormed()
      expect(text === other).toBe(same)
      expect(text.length).toBeLessThanOrEqual(255 - 'token:'.length)
    }),
  )
})
