// One HTTP/2 connection to a backend, with Node's http2: connects, waits for the backend's SETTINGS (so that a server
// that speaks something else is found out before a request is sent), opens streams up to both sides' limits, and
// knows when it takes no more. Pooling and retries are session-pool.ts and exchange.ts.
//
//   connecting ──► open ──► draining (GOAWAY, or told to) ──► closed
//        └──────────┴────────────────────────────────────────►

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { RequestError } from '../backend-exchange.ts'
import {
  type ConnectStage,
  closedBeforeReady,
  connectFailure,
  connectTimeout,
  type ResponseProgress,
  unreachable,
  watchStage,
} from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import { Liveness } from './liveness.ts'
import { explainEnd, type Goaway, type StreamEnd } from './stream-end.ts'

/** The pool, as a session sees it. */
export interface SessionOwner {
  onReady(session: Session): void
  onConnectFailed(session: Session, error: TunnelError): void
  /** A stream was opened for the client, or one of them has ended. Neither is reported while the session drains. */
  onStreamOpened(client: string): void
  onStreamEnded(client: string): void
  /** A stream has ended, or the backend takes more of them. */
  onRoom(session: Session): void
  /** It takes no new streams; those under way go on. */
  onDraining(session: Session): void
  /** The end of a session that was ready once. */
  onClosed(session: Session): void
}

export interface StreamOptions {
  readonly endStream: boolean
  readonly waitForTrailers: boolean
  /** Whom it is for; empty: not known. */
  readonly client: string
}

interface OpenStream {
  readonly client: string
  /** Its place among the streams of the session. */
  slot: number
}

export interface SessionOptions {
  readonly connector: Connector
  readonly owner: SessionOwner
  readonly clock: Clock
  /** For connection, TLS and the backend's SETTINGS together. */
  readonly connectTimeoutMs: number
  /** TLS: the backend must agree to `h2` by ALPN. */
  readonly secure: boolean
}

/**
 * What a stream may have in flight towards us, and what waits here at most while its client does not read. 64 KiB,
 * the default, is 50 Mbit/s at 10 ms; this is 400, the price is half a MiB for each stalled stream.
 */
const STREAM_WINDOW_BYTES = 524_288
/**
 * For all streams of the connection. Node gives it back as soon as bytes arrive, so it costs no memory and a stalled
 * stream never holds up its neighbours: it only has to be more than what is on the way.
 */
const SESSION_WINDOW_BYTES = 16_777_216
/** Of ours, whatever the backend would take: what one connection can lose, and can make wait here, is bounded. */
const MAX_STREAMS = 1000
/** As for HTTP/1 (response-parser.ts). Beyond them nghttp2 resets the stream. */
const MAX_HEADER_BYTES = 65_536
const MAX_FIELDS = 256
/** More than any head that fits through the tunnel: what is too large for the backend is the backend's to say. */
const MAX_SEND_HEADER_BYTES = 1_048_576
/** Ids are 31 bits, odd ones ours: long before they run out the session is replaced. */
const MAX_STREAMS_EVER = 2 ** 29

const LINGER_MS = 1000

const OPTIONS = {
  settings: {
    enablePush: false,
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxHeaderListSize: MAX_HEADER_BYTES,
  },
  maxHeaderListPairs: MAX_FIELDS,
  maxSendHeaderBlockLength: MAX_SEND_HEADER_BYTES,
  // Twice in a request, a field goes on twice. Unknown to Node 22, where such a request is refused.
  strictSingleValueFields: false,
}

export class Session {
  /** When its last stream ended, ms of the clock; the pool's to read. */
  idleSince = 0
  readonly #owner: SessionOwner
  readonly #clock: Clock
  readonly #socket: Socket
  readonly #connector: Connector
  readonly #secure: boolean
  readonly #liveness: Liveness
  readonly #stage: () => ConnectStage
  #connectTimer: Timer | undefined
  #lingerTimer: Timer | undefined
  #phase: 'connecting' | 'open' | 'draining' | 'closed' = 'connecting'
  #session: ClientHttp2Session | undefined
  /** Streams under way. An array, not a Set, because it changes with every request: see Deadlines of the Plugboard. */
  readonly #streams: OpenStream[] = []
  #opened = 0
  #goaway: Goaway | undefined
  /** Why we ended it ourselves. */
  #fault: TunnelError | undefined
  constructor({ connector, owner, clock, connectTimeoutMs, secure }: SessionOptions) {
    this.#owner = owner
    this.#clock = clock
    this.#connector = connector
    this.#secure = secure
    this.#liveness = new Liveness(clock.now())
    this.#socket = connector.open(() => this.#begin())
    this.#stage = watchStage(this.#socket, connector.needsDns)
    this.#socket.on('error', error => this.#connectFailed(notConnected(error, connector)))
    this.#socket.on('close', () => this.#closedEarly())
    this.#connectTimer = clock.after(connectTimeoutMs, () =>
      this.#connectFailed(this.#late(connectTimeoutMs)),
    )
  }

  /** Streams under way. */
  get streams(): number {
    return this.#streams.length
  }

  /** The client of each stream under way. */
  get clients(): string[] {
    return this.#streams.map(({ client }) => client)
  }

  /** How many streams it may have at once. */
  get capacity(): number {
    return Math.min(MAX_STREAMS, this.#session?.remoteSettings.maxConcurrentStreams ?? 0)
  }

  /** Can a stream be opened now, as far as this end can tell? */
  get hasRoom(): boolean {
    if (this.#phase !== 'open' || this.#streams.length >= this.capacity) return false
    return this.#session?.closed === false && !this.#session.destroyed
  }

  /** Streams it has carried, ever. */
  get opened(): number {
    return this.#opened
  }

  /** The backend takes WebSockets (RFC 8441). */
  get takesExtendedConnect(): boolean {
    return this.#session?.remoteSettings.enableConnectProtocol === true
  }

  /** Only when it has room. Throws RequestError for what Node will not send. */
  open(list: string[], { client, ...options }: StreamOptions): ClientHttp2Stream {
    const session = this.#session as ClientHttp2Session
    let stream: ClientHttp2Stream
    try {
      stream = session.request(list, options)
    } catch (cause) {
      throw new RequestError(cause instanceof Error ? cause.message : String(cause), { cause })
    }
    if (this.#streams.length === 0) this.#liveness.wake(this.#clock.now())
    this.#liveness.sent()
    const entry: OpenStream = { client, slot: this.#streams.length }
    this.#streams.push(entry)
    this.#opened += 1
    this.#owner.onStreamOpened(client)
    stream.on('close', () => this.#streamClosed(entry))
    if (this.#opened >= MAX_STREAMS_EVER) this.drain()
    return stream
  }

  /** Bytes of an answer have come. */
  noteAnswer(): void {
    this.#liveness.answered()
  }

  /** Why a stream closed before its answer was complete. */
  explain(stream: ClientHttp2Stream, error: Error | undefined, progress: ResponseProgress): StreamEnd {
    if (this.#fault !== undefined) return { kind: 'failed', error: this.#fault }
    return explainEnd({
      backend: this.#connector.backend,
      progress,
      id: stream.id,
      resetCode: stream.rstCode,
      error,
      sessionOver: this.#session?.destroyed !== false,
      goaway: this.#goaway,
    })
  }

  /** Looks whether it still lives, when there is somebody who waits for it. */
  checkLiveness(): void {
    const session = this.#session
    if (this.#streams.length === 0 || session === undefined || session.destroyed) return
    const now = this.#clock.now()
    switch (this.#liveness.look(now, this.#socket.bytesRead)) {
      case 'ping':
        this.#liveness.pinged(now)
        session.ping(error => {
          if (error === null) this.#liveness.ponged()
        })
        break
      case 'dead':
        this.#fault = new TunnelError('backend_timeout', {
          detail: `Backend ${this.#connector.backend} does not respond to an HTTP/2 PING.`,
          causeCode: 'response_timeout',
        })
        this.destroy()
        break
    }
  }

  /** Takes no new streams, and closes once those under way have ended. */
  drain(): void {
    if (this.#phase !== 'open') return
    this.#becomeDraining()
    this.#session?.close()
  }

  /** Closes at once, streams and all. */
  destroy(): void {
    if (this.#phase === 'connecting') {
      this.#phase = 'closed'
      this.#connectTimer?.cancel()
    }
    // A GOAWAY would wait for a peer that may be gone.
    this.#session?.destroy()
    this.#socket.destroy()
  }

  #begin(): void {
    if (this.#phase !== 'connecting') return
    if (this.#secure && (this.#socket as TLSSocket).alpnProtocol !== 'h2') {
      this.#connectFailed(noAlpn(this.#connector.backend))
      return
    }
    const authority = this.#secure ? 'https://backend' : 'http://backend'
    const session = connect(authority, { ...OPTIONS, createConnection: () => this.#socket })
    this.#session = session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    session.on('remoteSettings', () => this.#onSettings())
    session.on('goaway', (code, lastStreamId) => {
      this.#goaway = { code, lastStreamId }
      // Node closes it, at once or once its streams have ended.
      if (this.#phase === 'open') this.#becomeDraining()
    })
    session.on('error', error => this.#connectFailed(notConnected(error, this.#connector)))
    session.on('close', () => this.#onClosed())
    // Frames that cannot be sent: Node resets their stream.
    session.on('frameError', () => undefined)
  }

  #streamClosed({ client, slot }: OpenStream): void {
    const last = this.#streams.pop() as OpenStream
    if (slot < this.#streams.length) {
      this.#streams[slot] = last
      last.slot = slot
    }
    if (this.#streams.length === 0) this.idleSince = this.#clock.now()
    if (this.#phase === 'open') {
      this.#owner.onStreamEnded(client)
      this.#owner.onRoom(this)
    } else if (this.#streams.length === 0) {
      this.#linger()
    }
  }

  #onSettings(): void {
    if (this.#phase === 'connecting') {
      this.#connectTimer?.cancel()
      this.#phase = 'open'
      this.idleSince = this.#clock.now()
      this.#owner.onReady(this)
    } else if (this.#phase === 'open') {
      this.#owner.onRoom(this)
    }
  }

  #becomeDraining(): void {
    this.#phase = 'draining'
    this.#owner.onDraining(this)
    if (this.#streams.length === 0) this.#linger()
  }

  /** Node says goodbye and waits for the backend to close, too: not for ever. */
  #linger(): void {
    this.#lingerTimer ??= this.#clock.after(LINGER_MS, () => this.destroy())
  }

  #late(timeoutMs: number): TunnelError {
    const { backend } = this.#connector
    if (this.#session === undefined) return connectTimeout(backend, timeoutMs, this.#stage())
    const detail = `Backend ${backend} sent no HTTP/2 SETTINGS frame within ${timeoutMs / 1000} s.`
    return unreachable('http2_missing', detail)
  }

  #closedEarly(): void {
    if (this.#phase !== 'connecting') return
    const { backend, secure } = this.#connector
    const detail = `Backend ${backend} closed the connection before its HTTP/2 SETTINGS frame.`
    const begun = this.#session !== undefined
    this.#connectFailed(begun ? unreachable('http2_missing', detail) : closedBeforeReady(backend, secure))
  }

  #connectFailed(error: TunnelError): void {
    if (this.#phase !== 'connecting') return
    this.destroy()
    this.#owner.onConnectFailed(this, error)
  }

  #onClosed(): void {
    this.#closedEarly()
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#lingerTimer?.cancel()
    this.#owner.onClosed(this)
  }
}

function noAlpn(backend: string, cause?: unknown): TunnelError {
  const detail = `Backend ${backend} does not speak HTTP/2 over TLS (ALPN): the target should be https://.`
  return unreachable('http2_missing', detail, cause)
}

/** Either there is no connection, or the bytes that came on it are not HTTP/2. */
function notConnected(error: NodeJS.ErrnoException, { backend, secure }: Connector): TunnelError {
  if (error.code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL') return noAlpn(backend, error)
  if (error.code?.startsWith('ERR_HTTP2_') !== true) return connectFailure(error, backend, secure)
  const instead = secure ? 'https://' : 'http://'
  const detail = `Backend ${backend} does not speak HTTP/2 (${error.message}): the target should perhaps be ${instead}.`
  return unreachable('http2_missing', detail, error)
}
