// Tests which tunnel requests are refused before the upgrade, with which status and reason, and which are accepted.

import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readJwt, signJwt } from '../../test/support/credentials/jwt.ts'
import { TunnelHarness } from '../../test/support/harness/tunnel-harness.ts'
import {
  field,
  RawConnection,
  type RawResponse,
  rawExchange,
} from '../../test/support/http/raw-connection.ts'
import { asTokenId } from '../common/ids/row-ids.ts'
import { Authenticator, type Credential } from './tokens/authenticate.ts'
import { TunnelEndpoint } from './tunnel-endpoint.ts'

let harness: TunnelHarness

beforeEach(async () => {
  harness = await TunnelHarness.start()
})

afterEach(() => harness.close())

const HANDSHAKE = {
  Host: 'any',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'plugboard.v1',
}

function request(
  changes: Record<string, string | undefined> = {},
  line = 'GET /_plugboard/tunnel HTTP/1.1',
): string {
  const fields = Object.entries({ ...HANDSHAKE, ...changes }).filter(([, value]) => value !== undefined)
  return [line, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
}

const code = (response: RawResponse): string | undefined => field(response.headers, 'plugboard-error')

const dialWith = (token: string): Promise<RawResponse> =>
  rawExchange(harness.port, request({ Authorization: `Bearer ${token}` }))

const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600
const claims = () => ({
  iss: 'plugboard',
  aud: 'plugboard',
  sub: 'x',
  jti: 'j',
  exp: inAnHour(),
  services: ['*'],
})

describe('the handshake', () => {
  it.each([
    ['another method', {}, 405, 'POST /_plugboard/tunnel HTTP/1.1'],
    ['another protocol', { Upgrade: 'chat' }, 426, undefined],
    ['no upgrade', { Upgrade: undefined, Connection: undefined }, 426, undefined],
    ['another version', { 'Sec-WebSocket-Version': '8' }, 426, undefined],
    ['no key', { 'Sec-WebSocket-Key': undefined }, 400, undefined],
    ['a malformed key', { 'Sec-WebSocket-Key': 'x' }, 400, undefined],
    ['no subprotocol', { 'Sec-WebSocket-Protocol': undefined }, 400, undefined],
    ['another subprotocol', { 'Sec-WebSocket-Protocol': 'plugboard.v9' }, 400, undefined],
    ['two tokens', { Authorization: 'Bearer a\r\nauthorization: Bearer b' }, 400, undefined],
  ])('is refused with %s', async (_what, changes, status, line) => {
    const response = await rawExchange(harness.port, request(changes, line))
    expect(response.status).toBe(status)
    expect(JSON.parse(response.body.toString())).toMatchObject({ status })
  })

  it('is accepted with a token, for any host', async () => {
    const { token } = await harness.token()
    const response = await dialWith(token)
    expect([response.status, field(response.headers, 'sec-websocket-protocol')]).toEqual([
      101,
      'plugboard.v1',
    ])
  })

  it('is refused while draining, with Retry-After', async () => {
    const { token } = await harness.token()
    await harness.switchboard.drain(0)
    const response = await dialWith(token)
    expect([response.status, code(response), field(response.headers, 'retry-after')]).toEqual([
      503,
      'draining',
      '1',
    ])
  })

  it('is refused at the limit of tunnels', async () => {
    await harness.close()
    harness = await TunnelHarness.start({ switchboard: { maxTunnels: 1 } })
    const { token } = await harness.token()
    await harness.dial(token)
    const response = await dialWith(token)
    expect([response.status, code(response)]).toEqual([503, 'overloaded'])
  })
})

describe('the token', () => {
  it.each([
    ['a missing token', undefined],
    ['another scheme', 'Basic eDp5'],
    ['a token that is no JWT', 'Bearer abc'],
    ['a token of three parts that is no JWT', 'Bearer a.b.c'],
    ['a token that is too long', `Bearer ${'a'.repeat(16_385)}`],
    ['an unsigned token', `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
    ['a foreign key', `Bearer ${signJwt(claims(), { kid: 'foreign' })}`],
    ['a token without a key id', `Bearer ${signJwt(claims())}`],
  ])('is refused with 401: %s', async (_what, authorization) => {
    const response = await rawExchange(harness.port, request({ Authorization: authorization }))
    expect([response.status, code(response)]).toEqual([401, 'unauthorized'])
    expect(field(response.headers, 'www-authenticate')).toContain('Bearer')
    expect(harness.switchboard.tunnels.tunnelCount).toBe(0)
  })

  it('is refused when a foreign key signed it under the id of one of our keys', async () => {
    const { token } = await harness.token()
    const forged = signJwt({ ...readJwt(token).claims }, readJwt(token).header)
    expect((await dialWith(forged)).status).toBe(401)
  })

  describe('signed by us', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')

    beforeEach(async () => {
      const jwk = { ...publicKey.export({ format: 'jwk' }) } as Record<string, string>
      await harness.database.store.signingKeys.rotate(
        {
          kid: 'ours',
          publicJwk: jwk,
          privateJwk: { ...privateKey.export({ format: 'jwk' }) } as Record<string, string>,
        },
        { actor: 'test' },
      )
      await harness.caughtUp()
    })

    it.each<[string, Record<string, unknown>, number, string]>([
      ['expired', { exp: 1 }, 401, 'token_expired'],
      ['not yet valid', { nbf: inAnHour() }, 401, 'unauthorized'],
      ['no expiry', { exp: undefined }, 401, 'unauthorized'],
      ['another audience', { aud: 'other' }, 401, 'unauthorized'],
      ['another issuer', { iss: 'https://id.example' }, 401, 'unauthorized'],
      ['no issuer', { iss: undefined }, 401, 'unauthorized'],
      ['no subject', { sub: undefined }, 401, 'unauthorized'],
      ['no id', { jti: undefined }, 401, 'unauthorized'],
      ['half of a character in the subject', { sub: 'a\ud800' }, 401, 'unauthorized'],
      ['half of a character in the id', { jti: '\udc00' }, 401, 'unauthorized'],
      ['a malformed scope', { services: 'web' }, 401, 'unauthorized'],
      ['no scope', { services: undefined }, 403, 'forbidden'],
      ['an empty scope', { services: [], mounts: [] }, 403, 'forbidden'],
      ['all required claims', {}, 101, ''],
    ])('has the expected status with %s', async (_what, changes, status, expected) => {
      const response = await dialWith(signJwt({ ...claims(), ...changes }, { kid: 'ours' }, privateKey))
      expect([response.status, code(response) ?? '']).toEqual([status, expected])
    })

    it('is refused when its key is removed', async () => {
      await harness.database.store.signingKeys.remove('ours', { actor: 'test' })
      await harness.caughtUp()
      expect((await dialWith(signJwt(claims(), { kid: 'ours' }, privateKey))).status).toBe(401)
    })

    it('is refused when its key is removed during the verification of the signature', async () => {
      const key = {
        kid: 'ours',
        algorithm: 'EdDSA' as const,
        publicJwk: { ...publicKey.export({ format: 'jwk' }) } as Record<string, string>,
      }
      const found = [key, undefined]
      const authenticator = new Authenticator({
        directory: { verificationKey: () => found.shift(), isRevoked: () => false },
        log: silentLogger,
      })
      const verification = authenticator.authenticate(signJwt(claims(), { kid: 'ours' }, privateKey))
      await expect(verification).rejects.toMatchObject({ code: 'unauthorized' })
    })
  })

  it('is refused after its revocation', async () => {
    const { id, token } = await harness.token()
    await harness.issuer.revoke(asTokenId(id), { actor: 'test' })
    await harness.caughtUp()
    const response = await dialWith(token)
    expect([response.status, code(response)]).toEqual([401, 'token_revoked'])
  })

  it('is checked without the database', async () => {
    const { token } = await harness.token()
    await harness.directory.stop()
    const touch = (): Promise<never> => Promise.reject(new VeraError('database_unavailable'))
    Object.assign(harness.database.store.tokens, { touch })
    const telephone = await harness.dial(token)
    expect(telephone.session.state).toBe('open')
  })
})

it('leaves room for other addresses when handshakes of one address wait', () => {
  const endpoint = new TunnelEndpoint({
    authenticator: { authenticate: () => new Promise(() => undefined) },
    switchboard: { refusal: undefined, admit: () => undefined, connect: () => undefined },
    log: silentLogger,
    maxPending: 4,
  })
  const dial = (remoteAddress: string): string | undefined => {
    let refusal: string | undefined
    const headers = Object.entries({ ...HANDSHAKE, Authorization: 'Bearer a.b.c' })
    endpoint.accept({
      req: {
        method: 'GET',
        headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
        rawHeaders: headers.flat(),
      } as unknown as IncomingMessage,
      socket: new Socket(),
      head: Buffer.alloc(0),
      remoteAddress,
      requestId: '',
      refuse: each => {
        refusal = each
      },
    })
    return refusal
  }
  const first = ['2001:db8:0:7::1', '2001:db8:0:7::2', '2001:db8:0:7::3', '2001:db8:0:7::4'].map(dial)
  expect(first).toEqual([undefined, undefined, undefined, 'concurrency_limited'])
  expect([dial('192.0.2.7'), dial('192.0.2.8')]).toEqual([undefined, 'overloaded'])
})

it('opens no session for a client that disconnected during authentication', async () => {
  const asked = Promise.withResolvers<Socket>()
  const response = Promise.withResolvers<Credential>()
  let connected = 0
  const endpoint = new TunnelEndpoint({
    authenticator: { authenticate: () => response.promise },
    switchboard: { refusal: undefined, admit: () => undefined, connect: () => (connected += 1) },
    log: silentLogger,
  })
  const server = createServer()
  server.on('upgrade', (req, socket, head) => {
    const facts = { remoteAddress: '', requestId: '' }
    endpoint.accept({ req, socket: req.socket, head, ...facts, refuse: () => expect.fail('refused') })
    asked.resolve(socket as Socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const connection = await RawConnection.open((server.address() as AddressInfo).port)
  await connection.send(request({ Authorization: 'Bearer x' }))
  const socket = await asked.promise
  socket.destroy()
  response.resolve({
    token: { kind: 'own', id: asTokenId('t') },
    subject: 's',
    services: ['*'],
    mounts: [],
    limits: {},
    expiresAtMs: 0,
    kid: undefined,
  })
  await connection.closed
  connection.destroy()
  await new Promise<void>(resolve => server.close(() => resolve()))
  expect(connected).toBe(0)
})

describe('an outside issuer', () => {
  it('is trusted for its own tokens, by its published keys', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'theirs', alg: 'EdDSA' }] }
    let down = false
    const server = createServer((_req, res) => {
      res.statusCode = down ? 500 : 200
      res.end(JSON.stringify(jwks))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
    const outside = { issuer: 'https://id.example', jwksUrl }
    const authenticator = new Authenticator({ directory: harness.directory, outside, log: silentLogger })
    const good = { ...claims(), iss: 'https://id.example' }
    await expect(
      authenticator.authenticate(signJwt(good, { kid: 'theirs' }, privateKey)),
    ).resolves.toMatchObject({
      subject: 'x',
      kid: undefined,
    })
    await expect(authenticator.authenticate(signJwt(good, { kid: 'theirs' }))).rejects.toMatchObject({
      code: 'unauthorized',
    })
    const elsewhere = { ...good, iss: 'https://other.example' }
    await expect(
      authenticator.authenticate(signJwt(elsewhere, { kid: 'theirs' }, privateKey)),
    ).rejects.toMatchObject({ code: 'unauthorized' })
    down = true
    const fresh = new Authenticator({ directory: harness.directory, outside, log: silentLogger })
    await expect(fresh.authenticate(signJwt(good, { kid: 'theirs' }, privateKey))).rejects.toMatchObject({
      code: 'overloaded',
    })
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
})
