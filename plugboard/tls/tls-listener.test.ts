import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect, getCiphers, type TLSSocket } from 'node:tls'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, describe, expect, it } from 'vitest'
import {
  APP_CERTIFICATE,
  OTHER_CERTIFICATE,
  RENEWED_CERTIFICATE,
  RSA_CERTIFICATE,
  TEST_CA,
  type TestCertificate,
  WILDCARD_CERTIFICATE,
} from '../../test/support/credentials/certificates.ts'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { clientAddressOf, ProxyProtocolGate } from '../proxy/connections/proxy-protocol-gate.ts'
import { TrustedProxies } from '../proxy/connections/trusted-proxies.ts'
import { readCertificate } from './certificate.ts'
import { CertificateSet } from './certificate-set.ts'
import { cipherProblem, isTls13Cipher } from './ciphers.ts'
import { TlsListener, type TlsListenerOptions } from './tls-listener.ts'
import { DEFAULT_TLS_POLICY, tlsPolicy } from './tls-policy.ts'

useLeakCheck()

const read = ({ cert, key }: TestCertificate) =>
  readCertificate({ source: 'test', chain: cert, key, policy: DEFAULT_TLS_POLICY })

const open: { listener: TlsListener; sockets: Set<Socket> }[] = []
afterEach(async () => {
  for (const { listener, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await listener.close()
  }
})

async function start(
  certificates: { set: CertificateSet },
  options: Partial<TlsListenerOptions> = {},
): Promise<{ listener: TlsListener; port: number; accepted: TLSSocket[] }> {
  const sockets = new Set<Socket>()
  const accepted: TLSSocket[] = []
  const listener = new TlsListener({
    certificates: {
      get fallback() {
        return certificates.set.fallback
      },
      find: host => certificates.set.find(host),
    },
    policy: DEFAULT_TLS_POLICY,
    protocols: ['http/1.1'],
    handshakeTimeoutMs: 5000,
    maxHandshakes: 10,
    accept: socket => {
      accepted.push(socket)
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.end('welcome')
      socket.resume()
    },
    hasRoom: () => true,
    clock: systemClock,
    log: silentLogger,
    ...options,
  })
  const { port } = await listener.listen(0, '127.0.0.1')
  open.push({ listener, sockets })
  return { listener, port, accepted }
}

interface Seen {
  readonly name: string | undefined
  readonly reused: boolean
  readonly protocol: string | false | null
  readonly session: Buffer | undefined
  readonly cipher: string
}

/** Performs a handshake and a greeting. Rejects with the client's error. */
async function shake(port: number, options: ConnectionOptions = {}): Promise<Seen> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: TEST_CA,
    checkServerIdentity: () => undefined,
    ...options,
  })
  let session: Buffer | undefined
  socket.on('session', ticket => {
    session = ticket
  })
  await once(socket, 'secureConnect')
  const name = socket.getPeerCertificate().subject?.CN
  const seen = {
    name: String(name),
    reused: socket.isSessionReused(),
    protocol: socket.alpnProtocol,
    // The name in OpenSSL; `standardName` is the IANA name.
    cipher: socket.getCipher().name,
  }
  socket.resume()
  await once(socket, 'close')
  return { ...seen, session }
}

describe('the certificate', () => {
  it('is the exact one, else the wildcard, else the fallback', async () => {
    const set = new CertificateSet([
      read(OTHER_CERTIFICATE),
      read(WILDCARD_CERTIFICATE),
      read(APP_CERTIFICATE),
    ])
    const { port } = await start({ set })
    expect((await shake(port, { servername: 'app.localhost' })).name).toBe('app')
    expect((await shake(port, { servername: 'APP.localhost' })).name).toBe('app')
    expect((await shake(port, { servername: 'any.localhost' })).name).toBe('wild')
    expect((await shake(port, { servername: 'a.b.localhost' })).name).toBe('other')
    expect((await shake(port)).name).toBe('other')
  })

  it('may be looked up asynchronously', async () => {
    const set = new CertificateSet([read(APP_CERTIFICATE)])
    const late = read(OTHER_CERTIFICATE)
    const { port } = await start(
      { set },
      { certificates: { fallback: set.fallback, find: async () => late } },
    )
    expect((await shake(port, { servername: 'x.test' })).name).toBe('other')
  })

  it('changes for later handshakes, and sessions can still be resumed', async () => {
    const certificates = { set: new CertificateSet([read(APP_CERTIFICATE)]) }
    const { listener, port } = await start(certificates)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const servername of ['app.localhost', '']) {
        certificates.set = new CertificateSet([read(APP_CERTIFICATE)])
        listener.reload()
        const first = await shake(port, { servername, maxVersion })
        expect([first.name, first.reused]).toEqual(['app', false])
        certificates.set = new CertificateSet([read(RENEWED_CERTIFICATE)])
        listener.reload()
        expect((await shake(port, { servername, maxVersion })).name).toBe('renewed')
        expect((await shake(port, { servername, maxVersion, session: first.session! })).reused).toBe(true)
      }
    }
    expect(listener.counters).toMatchObject({ handshakes: 12, resumed: 4, handshakesFailed: 0 })
  })
})

describe('a handshake', () => {
  const set = new CertificateSet([read(APP_CERTIFICATE)])

  it('agrees on a protocol, or fails when the two ends have no protocol in common', async () => {
    const { port } = await start({ set })
    expect((await shake(port, { ALPNProtocols: ['h2', 'http/1.1'] })).protocol).toBe('http/1.1')
    expect((await shake(port)).protocol).toBe(false)
    await expect(shake(port, { ALPNProtocols: ['other'] })).rejects.toThrow(/no.application.protocol/i)
  })

  it('with an old TLS, or with no TLS at all, is refused and counted', async () => {
    const { listener, port } = await start({ set }, { policy: tlsPolicy('1.3', ['intermediate']) })
    await expect(shake(port, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/)
    const plain = connectTcp(port, '127.0.0.1')
    plain.on('error', () => undefined)
    plain.write('GET / HTTP/1.1\r\n\r\n')
    plain.resume()
    await once(plain, 'close')
    expect(listener.counters).toMatchObject({ handshakes: 0, handshakesFailed: 2 })
    await listener.drain()
  })

  it.each<[string, readonly string[], ConnectionOptions, string]>([
    ['the order of the server for TLS 1.3', ['intermediate'], {}, 'TLS_AES_128_GCM_SHA256'],
    [
      'the order of the server for TLS 1.2',
      ['intermediate'],
      { maxVersion: 'TLSv1.2' },
      'ECDHE-ECDSA-AES128-GCM-SHA256',
    ],
    [
      'ChaCha20 for a client that prefers it',
      ['intermediate'],
      { ciphers: 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256' },
      'TLS_CHACHA20_POLY1305_SHA256',
    ],
    ['the only one of the setting', ['TLS_AES_256_GCM_SHA384'], {}, 'TLS_AES_256_GCM_SHA384'],
    [
      'a weaker one that the setting names',
      ['intermediate', 'ECDHE-ECDSA-AES128-SHA'],
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' },
      'ECDHE-ECDSA-AES128-SHA',
    ],
  ])('takes %s', async (_, ciphers, client, expected) => {
    const policy = tlsPolicy('1.2', ciphers)
    const { cert: chain, key } = APP_CERTIFICATE
    const certificates = new CertificateSet([readCertificate({ source: 'test', chain, key, policy })])
    const { port } = await start({ set: certificates }, { policy })
    expect((await shake(port, { ...client, servername: 'app.localhost' })).cipher).toBe(expected)
  })

  it('uses each cipher that the setting accepts, with a certificate of its kind', async () => {
    const ciphers = getCiphers()
      .map(name => name.toUpperCase())
      .filter(name => cipherProblem(name) === undefined)
    expect(ciphers.length).toBeGreaterThan(20)
    for (const cipher of ciphers) {
      const policy = tlsPolicy('1.2', [cipher])
      const { cert: chain, key } = /ECDSA|^TLS_/.test(cipher) ? APP_CERTIFICATE : RSA_CERTIFICATE
      const certificates = new CertificateSet([readCertificate({ source: 'test', chain, key, policy })])
      const { listener, port } = await start({ set: certificates }, { policy })
      const client = { rejectUnauthorized: false, ciphers: cipher }
      expect((await shake(port, client)).cipher, cipher).toBe(cipher)
      // A client of the other version shares no cipher.
      const other = isTls13Cipher(cipher)
        ? ({ maxVersion: 'TLSv1.2' } as const)
        : ({ minVersion: 'TLSv1.3' } as const)
      await expect(shake(port, { rejectUnauthorized: false, ...other }), cipher).rejects.toThrow(/version/)
      await listener.close()
    }
  })

  it.each([
    ['a cipher outside the list', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
    ['an expensive group', { minVersion: 'TLSv1.3', ecdhCurve: 'ffdhe8192' }],
  ] as const)('with %s alone is refused', async (_, client) => {
    const { listener, port } = await start({ set })
    await expect(shake(port, { ...client, servername: 'app.localhost' })).rejects.toThrow(/handshake failure/)
    expect(listener.counters.handshakesFailed).toBe(1)
  })

  it('that stalls is ended', async () => {
    const { listener, port } = await start({ set }, { handshakeTimeoutMs: 50 })
    const silent = connectTcp(port, '127.0.0.1')
    silent.resume()
    await once(silent, 'close')
    expect(listener.counters.handshakesFailed).toBe(1)
  })

  it('of a client without a free place is refused; each handshake that ends frees its place', async () => {
    let places = 1
    const takePlace = () => {
      if (places === 0) return undefined
      places -= 1
      return () => {
        places += 1
      }
    }
    const { listener, port } = await start({ set }, { takePlace })
    const silent = connectTcp(port, '127.0.0.1')
    await expect.poll(() => places).toBe(0)
    await expect(shake(port)).rejects.toThrow()
    expect(listener.counters.handshakesRefused).toBe(1)
    silent.destroy()
    await expect.poll(() => places).toBe(1)
    await shake(port)
    await shake(port)
    expect([places, listener.counters.handshakes]).toEqual([1, 2])
  })

  it('over the limit, or without room for its connection, is refused', async () => {
    let room = true
    let underWay = 0
    const takePlace = () => {
      underWay += 1
      return () => {
        underWay -= 1
      }
    }
    const { listener, port } = await start({ set }, { maxHandshakes: 1, hasRoom: () => room, takePlace })
    const silent = connectTcp(port, '127.0.0.1')
    await expect.poll(() => underWay).toBe(1)
    await expect(shake(port)).rejects.toThrow()
    silent.destroy()
    await expect.poll(() => underWay).toBe(0)
    room = false
    await expect(shake(port)).rejects.toThrow()
    expect(listener.counters.handshakesRefused).toBe(2)
  })

  it('that has started before the drain is still accepted, but a new one is refused', async () => {
    const asked = Promise.withResolvers<void>()
    const responded = Promise.withResolvers<ReturnType<typeof read> | undefined>()
    const find = () => {
      asked.resolve()
      return responded.promise
    }
    const { listener, port, accepted } = await start(
      { set },
      { certificates: { fallback: set.fallback, find } },
    )
    const waiting = shake(port, { servername: 'app.localhost' })
    await asked.promise
    const drained = listener.drain()
    await expect(shake(port)).rejects.toThrow(/ECONNREFUSED/)
    responded.resolve(set.fallback)
    expect((await waiting).name).toBe('app')
    await drained
    expect(accepted).toHaveLength(1)
  })
})

it('an authority that validates a host gets the validation certificate, and other clients get the usual one', async () => {
  const set = new CertificateSet([read(APP_CERTIFICATE)])
  const validation = {
    protocol: 'acme-tls/1',
    find: async (host: string) => (host === 'asked.test' ? read(OTHER_CERTIFICATE) : undefined),
  }
  const { listener, port, accepted } = await start({ set }, { validation, handshakeTimeoutMs: 200 })
  const asked = await shake(port, { servername: 'asked.test', ALPNProtocols: ['acme-tls/1'] })
  expect([asked.name, asked.protocol]).toEqual(['other', 'acme-tls/1'])
  expect(accepted).toHaveLength(0)
  await expect(shake(port, { servername: 'app.localhost', ALPNProtocols: ['acme-tls/1'] })).rejects.toThrow()
  expect((await shake(port, { servername: 'app.localhost', ALPNProtocols: ['http/1.1'] })).name).toBe('app')
  const silent = connectTcp(port, '127.0.0.1')
  silent.resume()
  await once(silent, 'close')
  await listener.drain()
  expect(accepted).toHaveLength(1)
})

it('ends the connection of an authority in time, although bytes keep arriving', async () => {
  const set = new CertificateSet([read(APP_CERTIFICATE)])
  const validation = { protocol: 'acme-tls/1', find: async () => read(OTHER_CERTIFICATE) }
  const { port } = await start({ set }, { validation, handshakeTimeoutMs: 300 })
  const tcp = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
  tcp.on('error', () => undefined)
  const names = { servername: 'asked.test', ALPNProtocols: ['acme-tls/1'] }
  const socket = connect({ socket: tcp, rejectUnauthorized: false, ...names })
  await once(socket, 'secureConnect')
  const timer = setInterval(() => socket.write('x'), 20)
  socket.resume().on('error', () => undefined)
  await new Promise(resolve => socket.once('close', resolve))
  clearInterval(timer)
})

it('a PROXY header may arrive before the handshake, in the same packet or alone', async () => {
  const set = new CertificateSet([read(APP_CERTIFICATE)])
  const addresses: string[] = []
  for (const validation of [undefined, { protocol: 'acme-tls/1', find: async () => undefined }]) {
    const { port } = await start(
      { set },
      {
        validation,
        accept: (socket, transport) => {
          addresses.push(clientAddressOf(transport))
          socket.on('error', () => socket.destroy())
          socket.end('welcome')
          socket.resume()
        },
        gate: tcp =>
          new ProxyProtocolGate(tcp, {
            trusted: new TrustedProxies(['127.0.0.1']),
            timeoutMs: 5000,
            clock: systemClock,
            maxWaiting: 10,
            onOverflow: () => undefined,
            onRefused: (_socket, error) => addresses.push(error.message),
          }),
      },
    )
    for (const together of [true, false]) {
      const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
      await once(socket, 'connect')
      if (together) socket.cork()
      socket.write('PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n')
      const shaken = shake(port, { socket })
      if (together) setImmediate(() => socket.uncork())
      expect((await shaken).name).toBe('app')
    }
  }
  expect(addresses).toEqual(Array(4).fill('192.0.2.7'))
})
