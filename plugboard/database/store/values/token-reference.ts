// A reference to one token among the tokens of all issuers. Two issuers may give the same id to different
// tokens, so code outside of this file never compares bare ids. Only our own tokens have a row in the database:
// renewal, expiry, revocation and "last seen" exist for them alone.

import { createHash } from 'node:crypto'
import type { TokenId } from '../../../common/ids/row-ids.ts'

export type TokenReference =
  /** `id`: the id of its row, `jti` of the JWT. */
  | { readonly kind: 'own'; readonly id: TokenId }
  /** `issuer`: `iss` of the JWT, `id`: its `jti`. */
  | { readonly kind: 'outside'; readonly issuer: string; readonly subject: string; readonly id: string }

/** Longest text for a token: with `token:` before it, the text is still a valid actor of the change log. */
const MAX_TEXT_LENGTH = 240
/** Characters of a digest, 6 bits each: enough to make a second text with the same digest infeasible. */
const DIGEST_LENGTH = 16

/** Names one token in logs and in lists: the id of a row, or `<issuer>#jti:<id>`. Two tokens never share a text. */
export function tokenText(token: TokenReference): string {
  return token.kind === 'own' ? token.id : qualified(token.issuer, 'jti', token.id)
}

/**
 * Names the holder that claims and limits count for: one of our tokens, or one subject of an outside issuer
 * (`<issuer>#sub:<subject>`), because such an issuer renews a token by making another one.
 */
export function holderText(token: TokenReference): string {
  return token.kind === 'own' ? token.id : qualified(token.issuer, 'sub', token.subject)
}

/** A short digest of a holder or an identity, for other replicas: no subject leaves the replica that verified the token. */
export function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH)
}

/** The encoded value has no `#`, so the last `#` ends the issuer, also when the issuer has a `#` itself. */
function qualified(issuer: string, what: 'jti' | 'sub', value: string): string {
  const text = `${issuer}#${what}:${encodeURIComponent(value.toWellFormed())}`
  if (text.length <= MAX_TEXT_LENGTH) return text
  // An encoded value has no `:`, so a digest never equals a value.
  return `outside#${what}:sha256:${createHash('sha256').update(`${issuer}\0${value}`).digest('base64url')}`
}
