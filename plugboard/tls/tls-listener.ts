// The listener for HTTPS: TCP in, handshakes, and a decrypted socket out, which the public port takes as it takes
// its own. Which certificate a client gets is asked of `CertificateSource`; what is spoken inside is none of its
// business.
//
//   accepted ──ClientHello is ACME's──▶ validation
//      └──────▶ handshake ──secure──▶ accept(socket, transport)
//                   └─ failed, too slow ─▶ gone, counted

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
  /** For clients that name no host, or one without a certificate. */
  readonly fallback: Certificate | undefined
  /** For a client that names this host. A promise must settle before handshakes are given up. */
  find(host: string): Certificate | undefined | Promise<Certificate | undefined>
}

/** Handshakes of a certificate authority that looks whether a host is ours. */
export interface Validation {
  /** Their one application protocol. */
  readonly protocol: string
  /** What it must see for this host. */
  find(host: string): Promise<Certificate | undefined>
}

export interface TlsListenerOptions {
  readonly certificates: CertificateSource
  readonly validation?: Validation | undefined
  readonly policy: TlsPolicy
  /** Application protocols on offer, the preferred one first. */
  readonly protocols: readonly string[]
  /** For the whole handshake. ms */
  readonly handshakeTimeoutMs: number
  /** Handshakes under way at once; one over is refused at accept. */
  readonly maxHandshakes: number
  /**
   * Takes a place among the handshakes of the client; returns the function that releases it. Returns undefined when
   * the client has all its places; the connection is then refused.
   */
  readonly takePlace?: ((socket: Socket) => (() => void) | undefined) | undefined
  /** A secure connection. `transport`: the TCP connection beneath it. */
  readonly accept: (socket: TLSSocket, transport: Socket) => void
  /** False: there are too many connections already; counted by whoever says so. */
  readonly hasRoom: () => boolean
  /** Puts something in front of the TCP server before it listens: the PROXY protocol. */
  readonly gate?: ((tcp: TcpServer) => { close(): void }) | undefined
  readonly clock: Clock
  readonly log: Logger
}

interface Handshake {
  readonly socket: Socket
  readonly leavePlace: () => void
}

/** Whoever has a ticket key can read what was resumed with it under TLS 1.2, so none lives for long. */
const TICKET_KEYS_LIVE_MS = 12 * 3_600_000

export class TlsListener {
  readonly counters: TlsCounters = createCounters(TLS_COUNTERS)
  readonly #options: TlsListenerOptions
  readonly #tcp: TcpServer
  readonly #tls: Server
  readonly #validation: Server | undefined
  readonly #gate: { close(): void } | undefined
  /** TCP connections in their handshake, by the address of their far end and of this one. */
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

  /** Rejects with Node's error (EADDRINUSE, EACCES, …). Port 0 takes a free one. */
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

  /** The fallback is another one. Open connections keep what they have, sessions can still be resumed. */
  reload(): void {
    this.#tls.setSecureContext({
      ...this.#options.certificates.fallback?.options,
      ...baseOptions(this.#options.policy),
      ticketKeys: this.#ticketKeys,
    })
  }

  /** Accepts no more. Resolves when each handshake under way has ended, which none does later than its timeout. */
  async drain(): Promise<void> {
    this.#ticketTimer?.cancel()
    this.#tcp.close()
    this.#gate?.close()
    if (this.#handshaking.size === 0) return
    await new Promise<void>(resolve => {
      this.#whenIdle = resolve
    })
  }

  /** Cuts handshakes, too. Secure connections are not its business. */
  async close(): Promise<void> {
    const drained = this.drain()
    for (const { socket } of this.#handshaking.values()) socket.destroy()
    await drained
  }

  #connected(socket: Socket): void {
    // Told to whoever uses it; before there is anybody, 'close' follows and is enough.
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

  /** The first bytes say who it is; then they are put back. */
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
    // The handshake is all that the authority wants.
    server.on('secureConnection', socket => {
      socket.on('error', () => socket.destroy())
      // A deadline, not an idle timeout, so that a client that goes on sending cannot hold the connection.
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

  /** Scanners, old clients, clients that do not like the certificate: nothing that anybody here could mend. */
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

/** Unique among open connections. Undefined: it is closed already. */
function connectionKey(socket: Socket): string | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (remoteAddress === undefined) return undefined
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
