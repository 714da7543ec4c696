// Identifies the telephone process of a line, as a text in the line: the start time of the process, and a digest of the
// identity in its verified token. Replicas compare these texts, so no subject leaves the replica that verified the token.

import { TOKEN_ISSUER } from '@vera-stack/shared/claims.ts'
import { shortDigest } from '../database/store/values/token-reference.ts'
import type { Credential } from './tokens/authenticate.ts'

export interface Generation {
  /** Digest of issuer and subject. All tokens of one subject have the same identity; telephone names are not part of it. */
  readonly identity: string
  /** ms since 1970. */
  readonly startedAtMs: number
}

export function identityOf({ token, subject }: Pick<Credential, 'token' | 'subject'>): string {
  const issuer = token.kind === 'own' ? TOKEN_ISSUER : token.issuer
  return shortDigest(`${issuer}\0${subject}`)
}

/** Returns `<start, base 36>.<identity>`; readers accept at most 64 characters. */
export function packGeneration({ identity, startedAtMs }: Generation): string {
  return `${startedAtMs.toString(36)}.${identity}`
}

/** Parses a packed generation; returns undefined for any other text. */
export function unpackGeneration(text: string): Generation | undefined {
  const match = /^([0-9a-z]{1,10})\.([\w-]{1,43})$/.exec(text)
  if (match === null) return undefined
  const [, start = '', identity = ''] = match
  return { identity, startedAtMs: parseInt(start, 36) }
}
