// Signs tokens with foreign keys, which Plugboard must reject.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Returns a JWT signed with EdDSA. Default: a new key that no program trusts. */
export function signJwt(
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
  key: KeyObject = generateKeyPairSync('ed25519').privateKey,
): string {
  const signed = `${encode({ alg: 'EdDSA', typ: 'JWT', ...header })}.${encode(claims)}`
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`
}

/** Returns the decoded parts of a JWT without verification. */
export function readJwt(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = '', claims = ''] = token.split('.')
  const decode = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  return { header: decode(header), claims: decode(claims) }
}
