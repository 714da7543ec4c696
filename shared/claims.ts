// What the JWT of a telephone says: who it is and how far it reaches. Both sides read it: Plugboard to decide,
// the Telephone to know when to renew. Only the shape is checked here; signature, audience and time are not.

import { z } from 'zod'

/** `aud` of every token that a Plugboard accepts. */
export const TOKEN_AUDIENCE = 'plugboard'
/** `iss` of the tokens that Plugboard issues. An outside issuer must have another one. */
export const TOKEN_ISSUER = 'plugboard'

/** Highest limit that a token may have. */
export const MAX_TOKEN_LIMIT = 1_000_000

const limitsSchema = z.object({
  /** Tunnels open at once, over all replicas. */
  tunnels: z.int().min(1).max(MAX_TOKEN_LIMIT).optional(),
  /** Routes that its telephones may have claimed. */
  claims: z.int().min(0).max(MAX_TOKEN_LIMIT).optional(),
  /** Announcements and renewals within a minute, on one replica. */
  announcementsPerMinute: z.int().min(1).max(MAX_TOKEN_LIMIT).optional(),
})
/** Limits of one token. The settings of Plugboard have the default of each absent one. */
export type TokenLimits = z.infer<typeof limitsSchema>

/** Half of a character has no form in UTF-8: in a digest or a file, two different names would become the same one. */
const name = z
  .string()
  .min(1)
  .max(255)
  .refine(text => text.isWellFormed(), 'has half of a character')
const scope = z.array(z.string().min(1).max(2048)).max(1000).default([])

export const claimsSchema = z.object({
  /** The issuer. Ids (`jti`) of two issuers may be equal. */
  iss: z.string().optional(),
  /** Name of the telephone. */
  sub: name,
  /** Id of the token, unique for its issuer; a token of Plugboard keeps it when it is renewed. */
  jti: name,
  /** Seconds since 1970. */
  exp: z.int().min(0),
  iat: z.int().min(0).optional(),
  /** Services it may serve; absent or empty: none. Patterns as in mounts.ts. */
  services: scope,
  /** Mounts it may claim; absent or empty: none. */
  mounts: scope,
  limits: limitsSchema.optional(),
})
export type Claims = z.infer<typeof claimsSchema>

/** An empty scope grants nothing: such a token opens no tunnel. */
export function grantsNothing(claims: Pick<Claims, 'services' | 'mounts'>): boolean {
  return claims.services.length === 0 && claims.mounts.length === 0
}

/** What a JWT says, without any check of who says it; undefined: it is no token of this shape. */
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
