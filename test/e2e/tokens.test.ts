// The credentials that a Telephone needs for a tunnel. Without valid ones, it gets an HTTP response with a reason, never an
// upgrade.

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../telephone/index.ts'
import { readJwt, signJwt } from '../support/credentials/jwt.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { field, type RawResponse, rawExchange } from '../support/http/raw-connection.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'

const ISSUER = 'https://issuer.example'
const AUDIENCE = 'plugboard'
const outside = generateKeyPairSync('ed25519')
const jwks = createServer((_, response) => {
  const key = outside.publicKey.export({ format: 'jwk' })
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ keys: [{ ...key, kid: 'outside', alg: 'EdDSA', use: 'sig' }] }))
})
const jwksPort = await freePort()
const stack = useStack({
  plugboardArgs: ['--token-issuer', ISSUER, '--token-jwks-url', `http://127.0.0.1:${jwksPort}/jwks`],
})

beforeAll(() => once(jwks.listen(jwksPort, '127.0.0.1'), 'listening'))
afterAll(async () => {
  jwks.closeAllConnections()
  jwks.close()
  await once(jwks, 'close')
})

/** Requests a tunnel as a Telephone does. */
function dial(
  token: string | undefined,
  changes: Record<string, string | undefined> = {},
): Promise<RawResponse> {
  const headers: Record<string, string | undefined> = {
    Host: `127.0.0.1:${stack.port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'plugboard.v1',
    Authorization: token === undefined ? undefined : `Bearer ${token}`,
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}: ${value}\r\n`,
  )
  return rawExchange(stack.port, `GET /_plugboard/tunnel HTTP/1.1\r\n${lines.join('')}\r\n`)
}

function expectRefusal(response: RawResponse, status: number, code: string): void {
  expect([response.status, field(response.headers, 'plugboard-error')], response.body.toString()).toEqual([
    status,
    code,
  ])
  expect(field(response.headers, 'content-type')).toContain('application/problem+json')
  const problem = JSON.parse(response.body.toString()) as { code: string; detail?: string }
  expect(problem).toMatchObject({ code, status })
  expect(field(response.headers, 'sec-websocket-accept')).toBeUndefined()
}

describe('the tunnel endpoint', () => {
  it('upgrades for a valid token', async () => {
    const { token } = await stack.plugboard.issueToken({ services: [SERVICE] })
    expect((await dial(token)).status).toBe(101)
  })

  it('responds with 401 without a token, or for text that is not a token', async () => {
    expectRefusal(await dial(undefined), 401, 'unauthorized')
    for (const token of ['x', 'a.b.c', '..', signJwt({}).slice(0, -10)]) {
      expectRefusal(await dial(token), 401, 'unauthorized')
    }
    expectRefusal(await dial(undefined, { Authorization: 'Basic dXNlcjpwYXNz' }), 401, 'unauthorized')
  })

  it('responds with 401 to a token of a foreign key with any claims', async () => {
    const { token } = await stack.plugboard.issueToken({ services: ['*'] })
    const { header, claims } = readJwt(token)
    expectRefusal(await dial(signJwt(claims, header)), 401, 'unauthorized')
    expectRefusal(await dial(signJwt(claims, { ...header, kid: 'another' })), 401, 'unauthorized')
  })

  it('responds with 401 to an unsigned token and to changed claims', async () => {
    const { token } = await stack.plugboard.issueToken({ services: [SERVICE] })
    const [head = '', , signature = ''] = token.split('.')
    const { claims } = readJwt(token)
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const wider = encode({ ...claims, services: ['*'], mounts: ['*'] })
    expectRefusal(await dial(`${head}.${wider}.${signature}`), 401, 'unauthorized')
    expectRefusal(await dial(`${encode({ alg: 'none', typ: 'JWT' })}.${wider}.`), 401, 'unauthorized')
  })

  it('responds with 401 to an expired token', async () => {
    const { token } = await stack.plugboard.issueToken({ services: [SERVICE], ttl: '10s' })
    const refusal = await eventually(
      'the token expires',
      async () => {
        const response = await dial(token)
        return response.status === 101 ? undefined : response
      },
      30_000,
    )
    expectRefusal(refusal, 401, 'token_expired')
  })

  it('responds with 401 to a revoked token', async () => {
    const { token, id } = await stack.plugboard.issueToken({ services: [SERVICE] })
    await stack.plugboard.call('POST', `/v1/tokens/${id}/revoke`)
    const refusal = await eventually('the revocation is known', async () => {
      const response = await dial(token)
      return response.status === 101 ? undefined : response
    })
    expectRefusal(refusal, 401, 'token_revoked')
  })

  it('responds with 426 or 400 to a request that is not a WebSocket handshake of its protocol', async () => {
    const { token } = await stack.plugboard.issueToken({ services: [SERVICE] })
    expectRefusal(await dial(token, { Connection: undefined, Upgrade: undefined }), 426, 'upgrade_required')
    expectRefusal(await dial(token, { 'Sec-WebSocket-Version': '8' }), 426, 'upgrade_required')
    const other = { 'Sec-WebSocket-Protocol': 'plugboard.v99' }
    expectRefusal(await dial(token, other), 400, 'bad_request')
  })

  it('never has a token in a response or in the log', async () => {
    const { token } = await stack.plugboard.issueToken({ services: [SERVICE] })
    const bad = `${token}x`
    expect((await dial(bad)).body.toString()).not.toContain(bad)
    expect((await dial(token)).status).toBe(101)
    const signature = token.split('.')[2] ?? ''
    expect(stack.plugboard.child.output).not.toContain(signature)
  })
})

const nowSeconds = () => Math.floor(Date.now() / 1000)
/** Returns a token of the outside issuer. */
const issueOutside = (claims: Record<string, unknown>) =>
  signJwt(
    {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'device-7',
      jti: randomUUID(),
      iat: nowSeconds(),
      exp: nowSeconds() + 600,
      ...claims,
    },
    { kid: 'outside' },
    outside.privateKey,
  )

describe('tokens of another issuer', () => {
  it('are accepted when they are signed with its keys', async () => {
    expect((await dial(issueOutside({ services: [SERVICE], mounts: [] }))).status).toBe(101)
  })

  it('get 403 without a scope', async () => {
    expectRefusal(await dial(issueOutside({ services: [], mounts: [] })), 403, 'forbidden')
    expectRefusal(await dial(issueOutside({})), 403, 'forbidden')
  })

  it('get 401 for another audience, after their expiry, and before their start', async () => {
    const scope = { services: [SERVICE], mounts: [] }
    expectRefusal(await dial(issueOutside({ ...scope, aud: 'other' })), 401, 'unauthorized')
    expectRefusal(await dial(issueOutside({ ...scope, exp: nowSeconds() - 3600 })), 401, 'token_expired')
    expectRefusal(await dial(issueOutside({ ...scope, nbf: nowSeconds() + 3600 })), 401, 'unauthorized')
    expectRefusal(await dial(issueOutside({ ...scope, iss: 'https://other.example' })), 401, 'unauthorized')
  })
})

describe('telephone http with a token that only a person can correct', () => {
  it.each([
    ['garbage', () => 'garbage', /refused the token: The token is not a JWT\./],
    ['foreign', () => signJwt({}), /refused the token: The token has no key id \(kid\) in its header\./],
    ['expired', () => issueOutside({ exp: nowSeconds() - 3600 }), /refused the token: .*expired/],
  ])('ends with 1 and the reason: %s', async (_what, token, reason) => {
    const telephone = TelephoneProcess.launch({ ...stack, target: 1, service: SERVICE, token: token() })
    telephone.child.expectedToExit = true
    expect((await telephone.child.exited).code).toBe(1)
    expect(telephone.child.output).toMatch(reason)
  })
})

it('connect() rejects the admin port as the address of a Plugboard', async () => {
  const plugboard = `http://127.0.0.1:${stack.plugboard.adminPort}`
  const connecting = connect({ plugboard, token: stack.token, service: SERVICE, target: 1 })
  await expect(connecting).rejects.toMatchObject({
    code: 'invalid_request',
    field: 'plugboard',
    message: expect.stringContaining('this is not the public port of a Plugboard'),
  })
})

it('closes the tunnels of a token at once when it is revoked, and telephone http ends', async () => {
  const { token, id } = await stack.plugboard.issueToken({ name: 'short-lived', services: ['revoked'] })
  await stack.plugboard.addService('revoked')
  await stack.plugboard.addRoute('revoked.localhost', 'revoked')
  const telephone = await stack.startTelephone({ token, service: 'revoked' })
  telephone.child.expectedToExit = true
  const ask = () => send({ port: stack.port, host: 'revoked.localhost', path: '/hello' })
  await eventually('the route works', async () => ((await ask()).status === 200 ? true : undefined))
  await stack.plugboard.call('POST', `/v1/tokens/${id}/revoke`)
  await eventually('its line is removed', async () =>
    (await ask()).headers['plugboard-error'] === 'no_telephone' ? true : undefined,
  )
  await eventually('its tunnels are closed', async () => {
    const left = (await stack.plugboard.telephones()).filter(row => row.tokenId === id)
    return left.length === 0 ? true : undefined
  })
  // Other tokens are not affected.
  expect((await send({ port: stack.port, host: HOST, path: '/hello' })).status).toBe(200)
  expect((await telephone.child.exited).code).toBe(1)
  expect(telephone.child.output).toContain('closed the tunnel: the token was revoked.')
})
