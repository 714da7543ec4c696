// An outside issuer of tokens, for tests. It shares no code with the product. It has keys of any algorithm and tokens with any
// claims, serves its JWKS over HTTP, and counts the requests for it.

import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export const ISSUER = 'https://issuer.test/'
export const AUDIENCE = 'https://api.test'

interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicJwk: object
}

const CURVES: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

function generateKey(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519')
  const namedCurve = CURVES[alg]
  return namedCurve === undefined
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve })
}

/** RFC 7518 section 3, RFC 8037. */
function signature(alg: string, key: KeyObject, text: string): string {
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const rsa = { padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const how =
    CURVES[alg] === undefined ? (alg.startsWith('Ed') ? {} : rsa) : { dsaEncoding: 'ieee-p1363' as const }
  const digest = alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`
  return sign(digest, Buffer.from(text), { key, ...how }).toString('base64url')
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

export class Issuer {
  readonly keys: SigningKey[] = []
  requests = 0
  /** The response instead of the keys. */
  response: { readonly status: number; readonly body?: string; readonly location?: string } | undefined
  #server: Server | undefined

  addKey(alg = 'ES256', kid = `key-${this.keys.length + 1}`): SigningKey {
    const { privateKey, publicKey } = generateKey(alg)
    const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
    const key = { alg, kid, privateKey, publicJwk }
    this.keys.push(key)
    return key
  }

  get jwks(): string {
    return JSON.stringify({ keys: this.keys.map(({ publicJwk }) => publicJwk) })
  }

  /** A fetch function for `Jwks` without a socket. */
  readonly load = (_url: string): Promise<Buffer> => {
    this.requests += 1
    const { status = 200, body = this.jwks } = this.response ?? {}
    return status === 200 ? Promise.resolve(Buffer.from(body)) : Promise.reject(new Error(`status ${status}`))
  }

  /** Serves the JWKS over HTTP on loopback. Resolves with its address. */
  async listen(): Promise<string> {
    const server = createServer((_req, res) => {
      this.requests += 1
      const { status = 200, body = this.jwks, location } = this.response ?? {}
      if (location !== undefined) res.setHeader('location', location)
      res.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(body)
    })
    this.#server = server
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise(resolve => this.#server?.close(resolve) ?? resolve(undefined))
  }

  /** Signs a token. Undefined claims are omitted. Default of `key`: the newest key. */
  token(
    claims: Readonly<Record<string, unknown>> = {},
    { key = this.keys.at(-1), nowMs = Date.now() }: { key?: SigningKey | undefined; nowMs?: number } = {},
  ): string {
    if (key === undefined) throw new Error('the issuer has no key')
    const now = Math.floor(nowMs / 1000)
    const all = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', iat: now, exp: now + 600, ...claims }
    const { alg, kid, privateKey } = key
    const signed = `${encode({ alg, kid })}.${encode(all)}`
    return `${signed}.${signature(alg, privateKey, signed)}`
  }
}
