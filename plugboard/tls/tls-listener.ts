// The HTTPS listener: it accepts TCP connections, performs TLS handshakes, and passes the decrypted sockets to the public
// port, which serves them like its own. `CertificateSource` selects the certificate of a handshake. The listener does not read
// the decrypted bytes.
//
//   accepted ──ClientHello is ACME's──▶ validation
//      └──────▶ handshake ──secure──▶ accept(socket, transport)
//                   └─ failed, too slow ─▶ closed, counted

import { randomBytes } from 'node:crypto'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { createCounters, TLS_COUNTERS, type TlsCounters } from '../common/traffic-counters.ts'
import { baseOptions, type Certificate } from './certificate.ts'
import { offersOnly } from './client-hello.ts'
import { DEFAULT_TLS_POLICY, type TlsPolicy } from './tls-policy.ts'

export interface CertificateSource {
  /** The certificate for clients that name no host, or a host without a certificate. */
  readonly fallback: Certificate | undefined
  /** Returns the certificate for a host. A promise must settle before the timeout of handshakes. */
  find(host: string): Certificate | undefined | Promise<Certificate | undefined>
}

/** Handshakes of a certificate authority that checks whether Plugboard serves a host (TLS-ALPN-01). */
export interface Validation {
  /** The only application protocol in these handshakes. */
  readonly protocol: string
  /** Returns the certificate that proves this for a host. */
  find(host: string): Promise<Certificate | undefined>
}

export interface TlsListenerOptions {
  readonly certificates: CertificateSource
  readonly validation?: Validation | undefined
  readonly policy: TlsPolicy
  /** The offered application protocols, the preferred one first. */
  readonly protocols: readonly string[]
  /** Time limit for the whole handshake, ms. */
  readonly handshakeTimeoutMs: number
  /** Handshakes at the same time. Further connections are refused when they are accepted. */
  readonly maxHandshakes: number
  /**
   * Takes a place among the handshakes of the client; returns the function that releases it. Returns undefined when
   * the client has all its places; the connection is then refused.
   */
  readonly takePlace?: ((socket: Socket) => (() => void) | undefined) | undefined
  /** Called with each secure connection. `transport`: the TCP connection under it. */
  readonly accept: (socket: TLSSocket, transport: Socket) => void
  /** Returns false when there are too many connections. */
  readonly hasRoom: () => boolean
  /** Adds the PROXY protocol to the TCP server before it listens. */
  readonly gate?: ((tcp: TcpServer) => { close(): void }) | undefined
  readonly clock: Clock
  readonly log: Logger
}

interface Handshake {
  readonly socket: Socket
  readonly leavePlace: () => void
}

/** Ticket keys are short-lived, because a stolen one decrypts TLS 1.2 sessions that were resumed with it. */
const TICKET_KEYS_LIVE_MS = 12 * 3_600_000

export class TlsListener {
  readonly counters: TlsCounters = createCounters(TLS_COUNTERS)
  readonly #options: TlsListenerOptions
  readonly #tcp: TcpServer
  readonly #tls: Server
  readonly #validation: Server | undefined
  readonly #gate: { close(): void } | undefined
  /** TCP connections in their handshake, by their remote and local address. */
  readonly #handshaking = new Map<string, Handshake>()
  #ticketKeys = randomBytes(48)
  #ticketTimer: Timer | undefined
  #whenIdle: (() => void) | undefined

  constructor(options: TlsListenerOptions) {
    this.#options = options
    this.#tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, socket =>
      this.#connected(socket),
    )
    this.#tls = createServer({
      ...options.certificates.fallback?.options,
      ...baseOptions(options.policy),
      ALPNProtocols: [...options.protocols],
      SNICallback: (host, done) => choose(options.certificates.find(host), done),
      handshakeTimeout: options.handshakeTimeoutMs,
      ticketKeys: this.#ticketKeys,
    })
    this.#validation = options.validation && this.#createValidation(options.validation)
    this.#gate = options.gate?.(this.#tcp)
    this.#tls.on('secureConnection', socket => this.#secured(socket))
    this.#tls.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    this.#rotateTicketKeysLater()
  }

  /** Listens on one address. Rejects with Node's error (EADDRINUSE, EACCES, …). Port 0 takes a free port. */
  listen(port: number, host?: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject)
      this.#tcp.listen({ port, host, backlog: 1024 }, () => {
        this.#tcp.removeListener('error', reject)
        this.#tcp.on('error', error => this.#options.log.error('TLS listener failed', { err: error }))
        resolve(this.#tcp.address() as AddressInfo)
      })
    })
  }

  /** Uses the new fallback. Open connections keep their certificate, and sessions can still be resumed. */
  reload(): void {
    this.#tls.setSecureContext({
      ...this.#options.certificates.fallback?.options,
      ...baseOptions(this.#options.policy),
      ticketKeys: this.#ticketKeys,
    })
  }

  /** Stops accepting. Resolves when all handshakes have ended, at the latest after their timeout. */
  async drain(): Promise<void> {
    this.#ticketTimer?.cancel()
    this.#tcp.close()
    this.#gate?.close()
    if (this.#handshaking.size === 0) return
    await new Promise<void>(resolve => {
      this.#whenIdle = resolve
    })
  }

  /** Stops accepting, and destroys connections in their handshake. Secure connections stay open. */
  async close(): Promise<void> {
    const drained = this.drain()
    for (const { socket } of this.#handshaking.values()) socket.destroy()
    await drained
  }

  #connected(socket: Socket): void {
    // The later user of the socket adds its own listener. Until then, 'close' follows an error and cleans up.
    socket.on('error', () => socket.destroy())
    const key = connectionKey(socket)
    const { maxHandshakes, takePlace = () => () => undefined } = this.#options
    const hasRoom = this.#handshaking.size < maxHandshakes && this.#options.hasRoom()
    const leavePlace = key !== undefined && hasRoom ? takePlace(socket) : undefined
    if (key === undefined || leavePlace === undefined) {
      this.counters.handshakesRefused += 1
      socket.destroy()
      return
    }
    this.#handshaking.set(key, { socket, leavePlace })
    socket.once('close', () => this.#ended(key, socket))
    if (this.#validation === undefined) this.#tls.emit('connection', socket)
    else this.#peek(socket, this.#validation)
  }

  /** Selects the TLS server by the first bytes of a connection, which stay in the socket. */
  #peek(socket: Socket, validation: Server): void {
    const { validation: wanted, handshakeTimeoutMs } = this.#options
    const leave = () => socket.destroy()
    socket.setTimeout(handshakeTimeoutMs, leave)
    socket.once('end', leave)
    const readable = () => {
      const bytes: Buffer | null = socket.read()
      if (bytes === null) return
      socket.removeListener('readable', readable)
      socket.removeListener('end', leave)
      socket.removeListener('timeout', leave)
      socket.setTimeout(0)
      socket.unshift(bytes)
      const server = offersOnly(bytes, wanted?.protocol ?? '') ? validation : this.#tls
      server.emit('connection', socket)
    }
    socket.on('readable', readable)
  }

  #createValidation({ protocol, find }: Validation): Server {
    const server = createServer({
      ...baseOptions(DEFAULT_TLS_POLICY),
      ALPNProtocols: [protocol],
      SNICallback: (host, done) => choose(find(host.toLowerCase()), done),
      handshakeTimeout: this.#options.handshakeTimeoutMs,
    })
    // The authority only performs the handshake.
    server.on('secureConnection', socket => {
      socket.on('error', () => socket.destroy())
      // A deadline instead of an idle timeout, so that a client that keeps sending cannot hold the connection.
      const timer = this.#options.clock.after(this.#options.handshakeTimeoutMs, () => socket.destroy())
      socket.once('close', () => timer.cancel())
      socket.resume().end()
    })
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    return server
  }

  #secured(socket: TLSSocket): void {
    const key = connectionKey(socket)
    const transport = key === undefined ? undefined : this.#handshaking.get(key)?.socket
    if (key === undefined || transport === undefined) {
      socket.destroy()
      return
    }
    this.counters.handshakes += 1
    if (socket.isSessionReused()) this.counters.resumed += 1
    this.#options.accept(socket, transport)
    this.#ended(key, transport)
  }

  /**
   * Counts a failed handshake. It is logged at debug level only, because the operator cannot fix the causes: scanners, old
   * clients, clients that reject the certificate.
   */
  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    this.counters.handshakesFailed += 1
    if (this.#options.log.enabled('debug')) {
      const { remoteAddress, servername } = socket
      const host = typeof servername === 'string' ? servername : undefined
      this.#options.log.debug('TLS handshake failed', { code: error.code, remoteAddress, host, err: error })
    }
    socket.destroy()
  }

  #ended(key: string, socket: Socket): void {
    const handshake = this.#handshaking.get(key)
    if (handshake?.socket !== socket) return
    this.#handshaking.delete(key)
    handshake.leavePlace()
    if (this.#handshaking.size === 0) this.#whenIdle?.()
  }

  #rotateTicketKeysLater(): void {
    this.#ticketTimer = this.#options.clock.after(TICKET_KEYS_LIVE_MS, () => {
      this.#ticketKeys = randomBytes(48)
      this.#tls.setTicketKeys(this.#ticketKeys)
      this.#rotateTicketKeysLater()
    })
  }
}

function choose(
  found: Certificate | undefined | Promise<Certificate | undefined>,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  if (!(found instanceof Promise)) {
    done(null, found?.context)
    return
  }
  found.then(
    certificate => done(null, certificate?.context),
    (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
  )
}

/** Returns a key that is unique among open connections; undefined when the connection has closed already. */
function connectionKey(socket: Socket): string | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (remoteAddress === undefined) return undefined
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
