// One connection of HTTP/2: its session, and how it ends. What a client can do to a session beyond asking for streams
// (floods of resets, settings, pings, header blocks without an end) is bounded by nghttp2, whose bounds are set here;
// connections without a request in flight, or without any sign of HTTP/2, are closed here.
//
//   greeting ──settings──▶ open ──idle, draining──▶ closing (GOAWAY, streams finish) ──▶ gone

import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ClientConnection } from '../connections/client-connection.ts'
import type { Deadlined } from '../deadlines.ts'
import type { ProxyLimits } from '../proxy-limits.ts'
import type { RefusalLog } from '../response/refusal-log.ts'

/**
 * What a client may send of one body before any of it was taken. Much more than Node's 64 KiB, with which an upload over
 * 100 ms is 5 Mbit/s; a stalled backend costs this much for each stream.
 */
const STREAM_WINDOW_BYTES = 512 * 1024
/** And of all bodies of a connection: Node takes these bytes at once, so it bounds what is under way. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
/**
 * Megabytes of one connection that wait in either direction; past that, new streams are refused (ENHANCE_YOUR_CALM).
 * Node's 10 are reached by forty answers that wait for their reader.
 */
const CONNECTION_MEMORY_MB = 64
/** Streams that a client may reset at once, and per second after that (CVE-2023-44487). */
const RESET_BURST = 500
const RESETS_PER_SECOND = 50
/** What a backend says twice is said twice. Unknown to Node 22, where such an answer is refused (http2-answer.ts). */
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
  /** Since when it is in its state without a request. */
  #sinceMs: number
  #streams = 0
  #leaving = false
  /** There was a request. */
  #served = false
  /** Id of the last stream that became a request. */
  #lastStreamId = 0
  /** Streams that nghttp2 ended before they became requests. */
  #unseen = 0
  /** True once the limit of streams was reached. After that, a missing id may be a refused stream, which a client retries. */
  #wasFull = false

  constructor(options: Http2ConnectionOptions) {
    const { connection, limits, nowMs, refusals, log, onRequest, onClosed } = options
    this.#refusals = refusals
    this.#connection = connection
    this.#limits = limits
    this.#sinceMs = nowMs
    // Registered before the listeners of the session: the session ends with the socket, and then has no state.
    connection.socket.once('close', () => this.#noteUnseen())
    const session = performServerHandshake(connection.socket, {
      ...RELAYED,
      settings: {
        enableConnectProtocol: true,
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: limits.http2MaxStreams,
        // Past this, and so many fields, a stream is refused before we see it; below, the limits answer with 431.
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
   * New requests should go elsewhere. One that has not had any yet answers the first and tells with that; the others at
   * once, by a GOAWAY that names the last stream that was looked at: what is on its way behind it may be sent again.
   */
  leave(): void {
    this.#leaving = true
    if (this.#state === 'open' && this.#served) this.close()
  }

  /** No new streams; it closes with the last one. */
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
      // No preface has come, or a client does not read its GOAWAY.
      if (this.#state === 'greeting') this.#refuse('request_timeout', 'HTTP/2: no preface, or no SETTINGS')
      this.#connection.socket.destroy()
    }
  }

  /**
   * Logs the number of streams that nghttp2 reset by itself, for a malformed or much too large head. Node does not report
   * them, so they are counted by gaps in the ids.
   */
  #noteUnseen(): void {
    const { lastProcStreamID: last = 0 } = this.#session.destroyed ? {} : this.#session.state
    if (last > this.#lastStreamId)
      this.#unseen += this.#lastStreamId === 0 ? 1 : (last - this.#lastStreamId) / 2
    if (this.#unseen > 0) this.#refuse('bad_request', `HTTP/2: ${this.#unseen} streams reset by the parser`)
  }

  #refuse(code: 'bad_request' | 'request_timeout', detail: string): void {
    const { remoteAddress: clientAddress } = this.#connection
    const startedAtMs = this.#served ? undefined : this.#sinceMs
    this.#refusals.note({ clientAddress, code, detail, startedAtMs })
  }

  #streamOpened(stream: ServerHttp2Stream): void {
    this.#streams += 1
    this.#served = true
    const id = stream.id as number
    // Clients may begin with any id; after that, each stream has the next odd one.
    if (this.#lastStreamId !== 0 && !this.#wasFull) this.#unseen += (id - this.#lastStreamId) / 2 - 1
    this.#lastStreamId = id
    if (this.#streams >= this.#limits.http2MaxStreams) this.#wasFull = true
    stream.once('close', () => {
      this.#streams -= 1
    })
    if (this.#leaving) this.close()
  }
}
