// One HTTP/2 connection: its session, and how it is closed. nghttp2 limits attacks on a session (floods of resets, settings
// and pings, header blocks without an end); this file sets the limits. It also closes connections that are idle, or that
// send no HTTP/2.
//
//   greeting ──settings──▶ open ──idle, draining──▶ closing (GOAWAY, streams finish) ──▶ closed

import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ClientConnection } from '../connections/client-connection.ts'
import type { Deadlined } from '../deadlines.ts'
import type { ProxyLimits } from '../proxy-limits.ts'
import type { RefusalLog } from '../report/refusal-log.ts'

/**
 * Bytes of one body that a client may send before the backend accepts any of them. Node's default of 64 KiB limits an upload
 * with a round-trip time of 100 ms to 5 Mbit/s. A stalled backend costs this much memory for each stream.
 */
const STREAM_WINDOW_BYTES = 512 * 1024
/** The same for all bodies of a connection. Node consumes these bytes at once, so this limits only the bytes in transit. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
/**
 * Megabytes of one connection that may wait in both directions. Above that, new streams are refused (ENHANCE_YOUR_CALM).
 * Forty responses that the client does not read already reach Node's default of 10.
 */
const CONNECTION_MEMORY_MB = 64
/** Streams that a client may reset at once, and per second after that (CVE-2023-44487). */
const RESET_BURST = 500
const RESETS_PER_SECOND = 50
/** Relays repeated fields of a backend unchanged. Node 22 has no such option and refuses such a response (http2/response.ts). */
const RELAYED = { strictSingleValueFields: false }
/** Codes of session errors that are the client's fault. Others are broken connections. */
const CLIENT_FAULTS: ReadonlySet<string> = new Set(['ERR_HTTP2_ERROR', 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES'])

export interface Http2ConnectionOptions {
  readonly connection: ClientConnection
  readonly limits: ProxyLimits
  readonly nowMs: number
  readonly refusals: RefusalLog
  readonly log: Logger
  readonly onRequest: (stream: ServerHttp2Stream, rawHeaders: readonly string[]) => void
  readonly onClosed: () => void
}

export class Http2Connection implements Deadlined {
  deadlineSlot: number | undefined
  readonly #session: ServerHttp2Session
  readonly #connection: ClientConnection
  readonly #limits: ProxyLimits
  readonly #refusals: RefusalLog
  #state: 'greeting' | 'open' | 'closing' = 'greeting'
  /** The time since which the connection is in its state without a request. */
  #sinceMs: number
  #streams = 0
  #leaving = false
  /** True once there was a request. */
  #served = false
  /** Id of the last stream that became a request. */
  #lastStreamId = 0
  /** Streams that nghttp2 ended before they became requests. */
  #unseen = 0
  /** True once the limit of streams was reached. After that, a missing id may belong to a refused stream. */
  #wasFull = false

  constructor(options: Http2ConnectionOptions) {
    const { connection, limits, nowMs, refusals, log, onRequest, onClosed } = options
    this.#refusals = refusals
    this.#connection = connection
    this.#limits = limits
    this.#sinceMs = nowMs
    // Registered before the listeners of the session, because the session loses its state when the socket closes.
    connection.socket.once('close', () => this.#noteUnseen())
    const session = performServerHandshake(connection.socket, {
      ...RELAYED,
      settings: {
        enableConnectProtocol: true,
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: limits.http2MaxStreams,
        // Above this size, or the number of fields below, nghttp2 refuses the stream. Smaller heads that exceed the limits of
        // the proxy get 431.
        maxHeaderListSize: limits.maxHeadBytes * 2,
      },
      maxHeaderListPairs: limits.maxHeaders * 2 + 16,
      maxSessionMemory: CONNECTION_MEMORY_MB,
      streamResetBurst: RESET_BURST,
      streamResetRate: RESETS_PER_SECOND,
    })
    this.#session = session
    session.once('remoteSettings', () => {
      if (this.#state === 'greeting') this.#state = 'open'
    })
    session.on('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES))
    session.on('stream', (stream: ServerHttp2Stream, _headers, _flags, rawHeaders: readonly string[]) => {
      this.#streamOpened(stream)
      onRequest(stream, rawHeaders)
    })
    // nghttp2 has sent GOAWAY, and 'close' follows.
    session.on('error', (error: NodeJS.ErrnoException) => {
      const { remoteAddress } = connection
      log.debug('HTTP/2 connection broken', { remoteAddress, detail: error.message })
      if (CLIENT_FAULTS.has(error.code ?? '')) this.#refuse('bad_request', `HTTP/2: ${error.message}`)
    })
    connection.socket.once('close', onClosed)
  }

  /**
   * Asks the client to send new requests on another connection. A connection that has served a request sends GOAWAY at once,
   * with the id of the last served stream, so that the client can retry later streams. An unused connection serves its first
   * request and sends GOAWAY with it.
   */
  leave(): void {
    this.#leaving = true
    if (this.#state === 'open' && this.#served) this.close()
  }

  /** Refuses new streams. The connection closes when its last stream has ended. */
  close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#session.close()
  }

  checkDeadline(nowMs: number): void {
    if (this.#streams > 0) {
      this.#sinceMs = nowMs
      return
    }
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#limits
    const idleMs = nowMs - this.#sinceMs
    if (this.#state === 'open') {
      if (idleMs < keepAliveTimeoutMs) return
      this.close()
      this.#sinceMs = nowMs
    } else if (idleMs >= headTimeoutMs) {
      // The client has sent no preface, or does not read the GOAWAY.
      if (this.#state === 'greeting') this.#refuse('request_timeout', 'HTTP/2: no preface, or no SETTINGS')
      this.#connection.socket.destroy()
    }
  }

  /**
   * Logs the number of streams that nghttp2 itself reset for a malformed or much too large head. Node does not report them,
   * so they are counted by gaps in the ids.
   */
  #noteUnseen(): void {
    const { lastProcStreamID: last = 0 } = this.#session.destroyed ? {} : this.#session.state
    if (last > this.#lastStreamId)
      this.#unseen += this.#lastStreamId === 0 ? 1 : (last - this.#lastStreamId) / 2
    if (this.#unseen > 0) this.#refuse('bad_request', `HTTP/2: ${this.#unseen} streams reset by the parser`)
  }

  #refuse(code: 'bad_request' | 'request_timeout', detail: string): void {
    const { remoteAddress: clientAddress, proto } = this.#connection
    const startedAtMs = this.#served ? undefined : this.#sinceMs
    this.#refusals.note({ clientAddress, proto, code, detail, startedAtMs })
  }

  #streamOpened(stream: ServerHttp2Stream): void {
    this.#streams += 1
    this.#served = true
    const id = stream.id as number
    // Clients may start with any id. After that, each stream has the next odd id.
    if (this.#lastStreamId !== 0 && !this.#wasFull) this.#unseen += (id - this.#lastStreamId) / 2 - 1
    this.#lastStreamId = id
    if (this.#streams >= this.#limits.http2MaxStreams) this.#wasFull = true
    stream.once('close', () => {
      this.#streams -= 1
    })
    if (this.#leaving) this.close()
  }
}
