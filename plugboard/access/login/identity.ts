// The identity in a credential that has been verified, for rules that count or hash by user or claim.

import { decodeJwt } from 'jose'
import type { VerifiedIdentity } from '../../routes/rules/key-part.ts'
import { claimOf } from './token-claims.ts'

/** Returns the identity of a verified token. The signature is not checked again. */
export function identityOfToken(token: string): VerifiedIdentity {
  const claims = decodeJwt(token)
  return { user: textOfClaim(claims.sub), claim: pointer => textOfClaim(claimOf(claims, pointer)) }
}

export function identityOfUser(user: string): VerifiedIdentity {
  return { user, claim: () => undefined }
}

/**
 * A text differs from every other value with the same spelling: the text 1 from the number 1. The result begins with NUL and JSON,
 * or has no NUL at its start, so it also differs from the key of a request without the claim (limits/limiter.ts).
 */
function textOfClaim(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' && !value.startsWith('\0') ? value : `\0${JSON.stringify(value)}`
}
