// An outside issuer of tokens, for tests: keys of any algorithm, tokens with any claims, its JWKS over HTTP, and a count of
// how often that was asked for.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export const ISSUER = 'https://issuer.test/'
export const AUDIENCE = 'https://api.test'

interface SigningKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

export class Issuer {
  readonly keys: SigningKey[] = []
  requests = 0
  /** Instead of the keys. */
  answer: { readonly status: number; readonly body?: string; readonly location?: string } | undefined
  #server: Server | undefined

  async addKey(alg = 'ES256', kid = `key-${this.keys.length + 1}`): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    const key = { alg, kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
    this.keys.push(key)
    return key
  }

  get jwks(): string {
    return JSON.stringify({ keys: this.keys.map(({ publicJwk }) => publicJwk) })
  }

  /** For `Jwks`: no socket at all. */
  readonly fetch: typeof globalThis.fetch = (_url, init) => {
    this.requests += 1
    const { status = 200, body = this.jwks } = this.answer ?? {}
    return init?.signal?.aborted === true
      ? Promise.reject(init.signal.reason)
      : Promise.resolve(new Response(body, { status }))
  }

  /** Over HTTP on loopback; returns the address of the JWKS. */
  async listen(): Promise<string> {
    const server = createServer((_req, res) => {
      this.requests += 1
      const { status = 200, body = this.jwks, location } = this.answer ?? {}
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

  /** `claims` undefined values are left out; `key`: the newest one. */
  async token(
    claims: Readonly<Record<string, unknown>> = {},
    { key = this.keys.at(-1), nowMs = Date.now() }: { key?: SigningKey | undefined; nowMs?: number } = {},
  ): Promise<string> {
    if (key === undefined) throw new Error('the issuer has no key')
    const now = Math.floor(nowMs / 1000)
    const all = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', iat: now, exp: now + 600, ...claims }
    const { alg, kid, privateKey } = key
    return await new SignJWT(all).setProtectedHeader({ alg, kid }).sign(privateKey)
  }
}
