// A part of a key: the value of a request by which a rule counts, hashes or splits requests. Rate limits, the balancing policy
// `hash` and the split of subsets use the same parts.

import { z } from 'zod'

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/
const POINTER = /^(?:\/(?:[^/~]|~[01])*)+$/

const header = z
  .string()
  .max(128)
  .regex(
    /^[A-Za-z][A-Za-z0-9_.-]*$/,
    'is not a field name: it has letters, digits, - _ and . and begins with a letter',
  )
  .meta({ description: 'The name of a header field.', example: 'X-API-Key' })
const cookie = z
  .string()
  .max(128)
  .regex(TOKEN, 'is not a name of a cookie')
  .meta({ description: 'The name of a cookie.', example: 'session' })
const claim = z.string().max(256).regex(POINTER, 'is not a JSON pointer: write /sub or /realm/tenant').meta({
  description: 'A JSON pointer (RFC 6901) to a claim of the token that the route verified.',
  example: '/sub',
})

/** The forms of a part, for messages. */
export const WRITTEN_PARTS =
  '"address", "host", "tenant", "method", "user", {"header":"X-API-Key"}, {"cookie":"session"} or {"claim":"/sub"}'

export const keyPartSchema = z
  .union(
    [
      z.enum(['address', 'host', 'tenant', 'method', 'user']),
      z.strictObject({ header }),
      z.strictObject({ cookie }),
      z.strictObject({ claim }),
    ],
    { error: `is not a value of a request: write ${WRITTEN_PARTS}` },
  )
  .meta({
    description:
      '`address`: the client address (IPv6: its /64). `host`: the host of the request. `tenant`: the part of the host that ' +
      '`*` stands for. `method`: the request method. `user`: the user that the route verified. Or a header field, a cookie, or ' +
      'a claim of the verified token.',
  })

export type KeyPart = z.output<typeof keyPartSchema>

/** True when the value of the part is available only after the route has verified the credential. */
export function needsCredential(part: KeyPart): boolean {
  return part === 'user' || (typeof part === 'object' && 'claim' in part)
}

/** The identity that a route has verified. */
export interface VerifiedIdentity {
  /** The user of a password, or the subject (`sub`) of a token. */
  readonly user: string | undefined
  /** Returns the claim at a JSON pointer as text; undefined: there is no such claim, or the credential is not a token. */
  claim(pointer: string): string | undefined
}
