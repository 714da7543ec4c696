// Tests the cause of each failure with real sockets: a request goes through a tunnel in memory to a broken backend.

import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { BACKEND_CAUSES } from '@vera-stack/shared/backend-causes.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { memoryTransportPair } from '../../test/support/session/memory-transport.ts'
import { TEST_CERTIFICATE, TEST_KEY } from '../testing/test-certificate.ts'
import { Caller, tunnelPair } from '../testing/tunnel-pair.ts'
import {
  type BackendFailure,
  connectFailure,
  connectionFailure,
  connectTimeout,
  failureOf,
} from './backend-failure.ts'
import { FailureLog, type FailureReport } from './failure-log.ts'
import { Forwarder } from './forward/forward.ts'
import { HttpBackend, type HttpBackendOptions } from './forward/http-backend.ts'

useLeakCheck()

const tls = { key: TEST_KEY, cert: TEST_CERTIFICATE }
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'

/** Responds to the first bytes of each connection. */
const scripted = (respond: (socket: Socket) => void): Server =>
  createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', () => respond(socket))
  })

interface Broken {
  readonly server?: Server
  readonly scheme?: string
  readonly host?: string
  readonly options?: HttpBackendOptions
  /** Time that passes after the request was sent, ms. */
  readonly afterMs?: number
  /** The client's side ends the stream with this reason, as a Plugboard does. */
  readonly end?: 'backend_timeout' | 'cancelled'
}

interface Outcome {
  readonly error: TunnelError | undefined
  readonly failure: BackendFailure | undefined
  readonly reports: FailureReport[]
}

async function request(broken: Broken): Promise<Outcome> {
  const clock = new ManualClock()
  const { server, scheme = 'http', host = '127.0.0.1' } = broken
  const arrived = Promise.withResolvers<void>()
  server?.on('connection', socket => socket.once('data', () => arrived.resolve()))
  const port = await portOf(server)
  const reports: FailureReport[] = []
  const failures = new FailureLog({ clock, report: report => reports.push(report) })
  const backend = new HttpBackend(parseTarget(`${scheme}://${host}:${port}`), clock, {
    ...broken.options,
    failures,
  })
  const reported = Promise.withResolvers<BackendFailure | undefined>()
  const forwarder = new Forwarder({
    backends: new Map([['web', backend]]),
    now: clock.now.bind(clock),
    onExchange: ({ failure }) => reported.resolve(failure),
  })
  const tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) =>
    forwarder.onStream(stream, opening),
  )
  const caller = new Caller(tunnel.plugboard, {})
  if (broken.end !== undefined) {
    await arrived.promise
    caller.stream.reset(broken.end, broken.end === 'backend_timeout' ? 'No response within 60 s.' : '')
  } else {
    if (broken.afterMs !== undefined) {
      await arrived.promise
      clock.advance(broken.afterMs)
    }
    await caller.until(c => c.over)
  }
  const failure = await reported.promise
  await tunnel.close()
  forwarder.close()
  if (server?.listening) {
    await new Promise<void>(resolve => {
      server.close(() => resolve())
      if ('closeAllConnections' in server) (server as { closeAllConnections(): void }).closeAllConnections()
    })
  }
  return { error: caller.error, failure, reports }
}

/** A port that listens with the server, or that refuses connections. */
async function portOf(server: Server = createServer()): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  if (server.listenerCount('connection') === 0) await new Promise(resolve => server.close(resolve))
  return port
}

const BROKEN: [string, Broken, string, RegExp][] = [
  [
    'refuses connections',
    {},
    'connection_refused',
    /^Backend http:\/\/127\.0\.0\.1:\d+ refused the connection/,
  ],
  [
    'has a name that does not resolve',
    { host: 'nosuch.invalid' },
    // A machine without DNS reports the second code.
    'name_not_found|dns_unavailable',
    /host name/,
  ],
  [
    'has a self-signed certificate',
    { server: createTlsServer(tls), scheme: 'https' },
    'tls_self_signed',
    /has a self-signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.$/,
  ],
  [
    'does not use TLS',
    { server: createHttpServer(), scheme: 'https' },
    'tls_plain_port',
    /does not respond with TLS/,
  ],
  [
    'closes the connection during the TLS handshake',
    { server: scripted(socket => socket.end()), scheme: 'https' },
    'tls_failed',
    /closed the connection during the TLS handshake/,
  ],
  [
    'does not complete the TLS handshake',
    { server: scripted(() => undefined), scheme: 'https', afterMs: 5000 },
    'tls_failed',
    /completed no TLS handshake within 5 s/,
  ],
  [
    'requires a client certificate with TLS 1.3',
    {
      server: createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }),
      scheme: 'https',
      options: { tlsVerify: false },
    },
    'tls_failed',
    /requires a client certificate \(ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED\)\.$/,
  ],
  [
    'requires HTTP/2 by ALPN where the target has HTTP/1',
    {
      server: createTlsServer({ ...tls, ALPNProtocols: ['h2'] }),
      scheme: 'https',
      options: { tlsVerify: false },
    },
    'http2_required',
    /does not accept HTTP\/1 over TLS \(ALPN\)/,
  ],
  [
    'accepts old versions of TLS alone',
    {
      server: createTlsServer({
        ...tls,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1',
        ciphers: 'ALL:@SECLEVEL=0',
      }),
      scheme: 'https',
    },
    'tls_failed',
    /does not accept the versions of TLS of the Telephone/,
  ],
  [
    'resets the connection before it is ready',
    { server: scripted(socket => socket.resetAndDestroy()), scheme: 'h2c' },
    'connection_reset',
    /reset the connection before it was ready \(ECONNRESET\)/,
  ],
  [
    'resets the connection',
    { server: scripted(socket => socket.resetAndDestroy()) },
    'connection_reset',
    /reset the connection before its response \(ECONNRESET\)/,
  ],
  [
    'closes the connection without a response',
    { server: scripted(socket => socket.end()) },
    'closed_without_response',
    /closed the connection without a response/,
  ],
  [
    'cuts its response',
    { server: scripted(socket => socket.end(`${HEAD}12345`)) },
    'response_cut',
    /after part of the body of its response/,
  ],
  [
    'cuts the head of its response',
    { server: scripted(socket => socket.end('HTTP/1.1 200 OK\r\nContent-')) },
    'response_cut',
    /after part of the head of its response/,
  ],
  [
    'does not respond until Plugboard ends the request',
    { server: scripted(() => undefined), end: 'backend_timeout' },
    'response_timeout',
    /No response within 60 s/,
  ],
  [
    'sends a response that is not HTTP',
    { server: scripted(socket => socket.end('SSH-2.0-OpenSSH\r\n')) },
    'invalid_response',
    /^The response breaks HTTP: the response does not start with an HTTP\/1 status line\.$/,
  ],
  [
    'sends lines that are not HTTP, such as HTTP/0.9',
    { server: scripted(socket => socket.end('hello\nworld\n')) },
    'invalid_response',
    /^The response breaks HTTP: the response does not start with an HTTP\/1 status line\.$/,
  ],
  [
    'sends lines that are not HTTP, and an empty one',
    { server: scripted(socket => socket.end('+OK\nready\r\n\r\n')) },
    'invalid_response',
    /^The response breaks HTTP: the response does not start with an HTTP\/1 status line\.$/,
  ],
  [
    'requires TLS',
    { server: createTlsServer(tls) },
    // OpenSSL sends an alert, or closes the connection.
    'tls_required|closed_without_response',
    /./,
  ],
  [
    'requires TLS, and sends an alert',
    { server: scripted(socket => socket.end(Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]))) },
    'tls_required',
    /https:\/\//,
  ],
  [
    'uses HTTP/1 where the target has HTTP/2',
    { server: createHttpServer(), scheme: 'h2c' },
    'http2_missing',
    /did not respond with HTTP\/2 .*: write the target with http:\/\/\.$/,
  ],
  [
    'uses HTTP/2 where the target has HTTP/1',
    { server: scripted(socket => socket.end(Buffer.from('\0\0\0\x04\0\0\0\0\0', 'latin1'))) },
    'http2_required',
    /h2c:\/\//,
  ],
  [
    'has all of its connections in use',
    { server: scripted(() => undefined), options: { maxConnections: 1, maxWaiting: 0 } },
    'connections_exhausted',
    /wait for a connection/,
  ],
]

describe('a request to a backend that', () => {
  it.each(BROKEN)('%s fails with the cause', async (name, broken, cause, detail) => {
    const busy = name.startsWith('has all')
    const outcome = busy ? await secondRequest(broken) : await request(broken)
    const { failure } = outcome
    expect(failure?.cause).toMatch(new RegExp(`^(${cause})$`))
    expect(failure?.detail).toMatch(detail)
    expect(failure?.detail.length).toBeLessThanOrEqual(201)
    expect(failure?.remedy).toBe(BACKEND_CAUSES[(failure as BackendFailure).cause].remedy)
    // Plugboard receives the same code, and the log of the Telephone too.
    if (broken.end === undefined) expect(outcome.error?.causeCode).toBe(failure?.cause)
    expect(outcome.reports[0]).toMatchObject({ kind: 'failing', occasion: 'first', failure })
  })

  it('the client cancels has no failure', async () => {
    const { failure, reports } = await request({ server: scripted(() => undefined), end: 'cancelled' })
    expect({ failure, reports }).toEqual({ failure: undefined, reports: [] })
  })
})

/** Sends a request while another one uses the only connection. */
async function secondRequest({ server, options }: Broken): Promise<Outcome> {
  const clock = new ManualClock()
  const port = await portOf(server)
  const reports: FailureReport[] = []
  const failures = new FailureLog({ clock, report: report => reports.push(report) })
  const backend = new HttpBackend(parseTarget(`http://127.0.0.1:${port}`), clock, { ...options, failures })
  let failure: BackendFailure | undefined
  const forwarder = new Forwarder({
    backends: new Map([['web', backend]]),
    now: clock.now.bind(clock),
    onExchange: exchange => {
      failure ??= exchange.failure
    },
  })
  const tunnel = await tunnelPair(memoryTransportPair(), (stream, opening) =>
    forwarder.onStream(stream, opening),
  )
  const first = new Caller(tunnel.plugboard, { client: 'a' })
  const second = new Caller(tunnel.plugboard, { client: 'b' })
  await second.until(c => c.over)
  first.stream.reset('cancelled')
  await tunnel.close()
  forwarder.close()
  await new Promise<void>(resolve => server?.close(() => resolve()))
  return { error: second.error, failure, reports }
}

describe('an error of a socket', () => {
  const error = (code: string, message = code): Error => Object.assign(new Error(message), { code })
  const causeOf = (failed: Error, secure = false): string | undefined =>
    connectFailure(failed, 'http://b', secure).causeCode

  it.each([
    ['ECONNREFUSED', 'connection_refused'],
    ['ETIMEDOUT', 'connect_timeout'],
    ['EHOSTUNREACH', 'host_unreachable'],
    ['ENETUNREACH', 'host_unreachable'],
    ['ENOTFOUND', 'name_not_found'],
    ['EAI_AGAIN', 'dns_unavailable'],
    ['ENOENT', 'socket_missing'],
    ['ENOTDIR', 'socket_missing'],
    ['ECONNRESET', 'connection_reset'],
    ['EACCES', 'permission_denied'],
    ['EMFILE', 'too_many_open_files'],
    ['ENFILE', 'too_many_open_files'],
    ['CERT_HAS_EXPIRED', 'tls_expired'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_wrong_name'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_unknown_issuer'],
    ['EWHATEVER', 'connect_failed'],
  ])('%s has the cause %s', (code, cause) => {
    expect(causeOf(error(code))).toBe(cause)
  })

  it('of OpenSSL without a code is read from its text', () => {
    expect(causeOf(error('EPROTO', 'SSL routines::wrong version number'), true)).toBe('tls_plain_port')
    expect(causeOf(error('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'), true)).toBe('tls_failed')
  })

  it('of OpenSSL is reported without its place in the source of OpenSSL', () => {
    const text =
      '4003E59ED37F0000:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert handshake failure:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:SSL alert number 40\n'
    const failed = error('ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', text)
    expect(connectFailure(failed, 'https://b', true).detail).toBe(
      'Backend https://b failed the TLS handshake: ssl/tls alert handshake failure (ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE).',
    )
    expect(connectionFailure(failed, 'https://b', 'nothing').detail).toBe(
      'Backend https://b ended the TLS connection: ssl/tls alert handshake failure (ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE).',
    )
  })

  it('of several addresses is the error of an address that the machine can use', () => {
    const errors = [error('ENETUNREACH'), error('ECONNREFUSED')]
    expect(causeOf(new AggregateError(errors))).toBe('connection_refused')
    expect(causeOf(new AggregateError([error('ENETUNREACH')]))).toBe('host_unreachable')
  })

  it('of a timeout depends on the step of the connection', () => {
    const causes = (['name', 'connection', 'handshake'] as const).map(
      stage => connectTimeout('http://b', 5000, stage).causeCode,
    )
    expect(causes).toEqual(['dns_unavailable', 'connect_timeout', 'tls_failed'])
  })

  it('that the backend did not cause has no failure', () => {
    for (const reason of ['cancelled', 'session_lost', 'draining', 'client_share'] as const) {
      expect(failureOf(new TunnelError(reason, { remote: true }))).toBeUndefined()
    }
    expect(failureOf(new TunnelError('backend_closed', { causeCode: 'of_a_newer_version' }))).toBeUndefined()
  })
})
