// Which process of a telephone a line belongs to, as a text in the line: when the process started, and a digest of the
// identity that its token proved. Replicas compare these texts, so no subject leaves the replica that verified the token.

import { TOKEN_ISSUER } from '@vera-stack/shared/claims.ts'
import { shortDigest } from '../database/store/token-reference.ts'
import type { Credential } from './tokens/authenticate.ts'

export interface Generation {
  /** Digest of issuer and subject. Two tokens of one subject have the same one; names of telephones play no part. */
  readonly identity: string
  /** ms since 1970. */
  readonly startedAtMs: number
}

export function identityOf({ token, subject }: Pick<Credential, 'token' | 'subject'>): string {
  const issuer = token.kind === 'own' ? TOKEN_ISSUER : token.issuer
  return shortDigest(`${issuer}\0${subject}`)
}

/** `<start, base 36>.<identity>`; readers take at most 64 characters. */
export function packGeneration({ identity, startedAtMs }: Generation): string {
  return `${startedAtMs.toString(36)}.${identity}`
}

/** Undefined for a text that is no generation. */
export function unpackGeneration(text: string): Generation | undefined {
  const match = /^([0-9a-z]{1,10})\.([\w-]{1,43})$/.exec(text)
  if (match === null) return undefined
  const [, start = '', identity = ''] = match
  return { identity, startedAtMs: parseInt(start, 36) }
}
