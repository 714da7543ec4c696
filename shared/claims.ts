// The claims of a Telephone's JWT: its name, its scope and its expiry. Plugboard uses them for access decisions, the Telephone
// to schedule the renewal. This file checks the shape only, not the signature, the audience or the time.

import { z } from 'zod'

/** `aud` of every token that a Plugboard accepts. */
export const TOKEN_AUDIENCE = 'plugboard'
/** `iss` of the tokens that Plugboard issues. An outside issuer must have another one. */
export const TOKEN_ISSUER = 'plugboard'

/** Highest limit that a token may have. */
export const MAX_TOKEN_LIMIT = 1_000_000

const limitsSchema = z.object({
  /** Highest number of open tunnels, over all replicas. */
  tunnels: z.int().min(1).max(MAX_TOKEN_LIMIT).optional(),
  /** Highest number of routes that Telephones with this token have claimed. */
  claims: z.int().min(0).max(MAX_TOKEN_LIMIT).optional(),
  /** Highest number of announcements and renewals in one minute, on one replica. */
  announcementsPerMinute: z.int().min(1).max(MAX_TOKEN_LIMIT).optional(),
})
/** Limits of one token. For each absent limit, a setting of Plugboard is the default. */
export type TokenLimits = z.infer<typeof limitsSchema>

/** A lone surrogate (half of a character) has no form in UTF-8, so two different names could get the same digest or file. */
const name = z
  .string()
  .min(1)
  .max(255)
  .refine(text => text.isWellFormed(), 'has half of a character')
const scope = z.array(z.string().min(1).max(2048)).max(1000).default([])

export const claimsSchema = z.object({
  /** The issuer. Ids (`jti`) of two issuers may be equal. */
  iss: z.string().optional(),
  /** Name of the Telephone. */
  sub: name,
  /** Id of the token, unique for its issuer; a token of Plugboard keeps it when it is renewed. */
  jti: name,
  /** Seconds since 1970. */
  exp: z.int().min(0),
  iat: z.int().min(0).optional(),
  /** Patterns of the services that the Telephone may serve (mounts.ts). Absent or empty: no service. */
  services: scope,
  /** Patterns of the mounts that the Telephone may claim. Absent or empty: no mount. */
  mounts: scope,
  limits: limitsSchema.optional(),
})
export type Claims = z.infer<typeof claimsSchema>

/** True when the token covers no service and no mount. Plugboard accepts no tunnel for such a token. */
export function grantsNothing(claims: Pick<Claims, 'services' | 'mounts'>): boolean {
  return claims.services.length === 0 && claims.mounts.length === 0
}

/** Returns the claims of a JWT without a check of its signature. Undefined: the text is not a token of this shape. */
export function decodeClaims(token: string): Claims | undefined {
  const payload = token.split('.')[1]
  if (payload === undefined) return undefined
  try {
    const parsed = claimsSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined // not JSON, so not a JWT
  }
}
