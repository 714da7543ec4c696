// One connection to a backend, with one exchange at a time: writes the request in its framing, reads the response, and
// decides whether the connection may carry another exchange. It closes a connection with bytes after the response, an
// incomplete upload, or a response that announces a body that it must not have.
//
//   connecting ──► idle ◄──► busy ──► raw (after a 101)
//        └───────────┴─────────┴───────┴──► closed
//
// pool/pool.ts and exchange.ts contain the pooling and the retries.

import type { OnReadOpts, Socket } from 'node:net'
import type { Timer } from '@vera-stack/shared/clock.ts'
import { resetSocket } from '@vera-stack/shared/net/reset-socket.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import {
  closedBeforeReady,
  closedEarly,
  connectFailure,
  connectionFailure,
  connectTimeout,
  invalidResponse,
  type ResponseProgress,
  watchStage,
} from '../backend-failure.ts'
import type { Connector } from '../connector.ts'
import type { BackendConnectionOptions, ConnectionOwner } from '../pool-limits.ts'
import { HttpError } from './parser/http-error.ts'
import type { RequestTraits, ResponseHead } from './parser/response-head.ts'
import {
  type BackendParsing,
  type ParserLimits,
  ResponseParser,
  type ResponseSink,
} from './parser/response-parser.ts'
import { type Http1RequestHead, lastChunk, type RequestFraming } from './request-head.ts'

/** The user of the connection for one exchange. */
export interface ConnectionUser {
  /** 1xx heads, then the final head. After a 101, `onBody` and `onComplete` are the raw bytes and their end. */
  onHead(head: ResponseHead): void
  /** The chunk is valid during the call. After a pause in the call it stays valid until the user resumes. */
  onBody(chunk: Buffer): void
  /** The response is complete. The user no longer owns the connection, unless it is raw. */
  onComplete(trailers: Fields | undefined): void
  /** There is room again after a write that returned false. */
  onDrain(): void
  /** The connection closed before the response was complete. `stale`: it may already have been closed when it was taken. */
  onFailure(error: TunnelError, stale: boolean): void
}

/** The part of the pool that a connection uses. */
export interface Http1ConnectionOwner extends ConnectionOwner<Connection> {
  onConnected(connection: Connection): void
  /** The connection is ready for the next exchange. */
  onIdle(connection: Connection): void
  /** The connection switched to another protocol and never returns to the pool. */
  onDetached(connection: Connection): void
}

export interface ConnectionOptions extends BackendConnectionOptions<Http1ConnectionOwner> {
  readonly parserLimits: ParserLimits
  readonly backendParsing: BackendParsing
}

// Each connection reads into one buffer, without an allocation or a copy for each read. The buffer starts small, because
// there may be thousands of quiet WebSockets. When a read fills it, it is replaced by a large one until the response is
// complete. A quarter of the large size costs a tenth more CPU.
const SMALL_BUFFER_BYTES = 16_384
const LARGE_BUFFER_BYTES = 262_144
const TCP_KEEP_ALIVE_MS = 30_000

export class Connection implements ResponseSink {
  /** Time at which the connection became idle, ms of the clock. Read and written by the pool. */
  idleSince = 0
  /** Time for which the backend keeps idle connections, from its response, ms. */
  keepAliveHintMs: number | undefined
  /** True when the connection may be authenticated. It then never carries a request of another client. */
  authenticated = false
  /** True when the last response asks the client to continue the authentication. */
  challenged = false
  /** Id of the client connection that uses this connection. Undefined: not in use, or unknown. */
  affinity: string | undefined
  /** The client of the current request; undefined while idle. Read and written by the pool. */
  client: string | undefined
  readonly #socket: Socket
  readonly #connector: Connector
  readonly #owner: Http1ConnectionOwner
  readonly #parser: ResponseParser
  #connectTimer: Timer | undefined
  #phase: 'connecting' | 'idle' | 'busy' | 'raw' | 'closed' = 'connecting'
  #user: ConnectionUser | undefined
  #uses = 0
  #framing: RequestFraming = 'none'
  #requestLeft = 0
  #requestOpen = false
  #responseOpen = false
  #bodySent = false
  #bytesSeen = false
  #headSeen = false
  #keepAlive = false
  #corked = false
  #paused = false
  #buffer: Buffer = Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES)
  #beforeUpgrade: Buffer[] = []
  #endAfterUpgrade = false
  readonly #uncorkLater = (): void => this.#uncork()

  constructor(options: ConnectionOptions) {
    this.#connector = options.connector
    this.#owner = options.owner
    this.#parser = new ResponseParser(this, options.parserLimits, options.backendParsing)
    const onRead: OnReadOpts = {
      buffer: () => this.#buffer,
      callback: bytes => this.#onRead(bytes),
    }
    this.#socket = options.connector.open(() => this.#onReady(), onRead)
    const stageOf = watchStage(this.#socket, this.#connector.needsDns)
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('drain', () => this.#user?.onDrain())
    this.#socket.on('error', error => this.#onError(error))
    this.#socket.on('close', () => this.#onClosed())
    this.#connectTimer = options.clock.after(options.connectTimeoutMs, () => {
      this.#lost(connectTimeout(this.#connector.backend, options.connectTimeoutMs, stageOf()))
    })
  }

  /** True when a request can be written now. The backend may have closed the connection without notice yet. */
  get usable(): boolean {
    return this.#phase === 'idle' && this.#socket.writable && !this.#socket.readableEnded
  }

  /** True after a 101 switched the connection to another protocol. */
  get raw(): boolean {
    return this.#phase === 'raw'
  }

  /** Sends a request. Its body follows with `writeBody` and `endBody`. Call it only while the connection is idle. */
  start(head: Http1RequestHead, traits: RequestTraits, user: ConnectionUser): void {
    this.#phase = 'busy'
    this.#user = user
    this.#uses += 1
    this.#framing = head.framing
    this.#requestLeft = head.contentLength
    this.#requestOpen = true
    this.#responseOpen = true
    this.#bodySent = false
    this.#bytesSeen = false
    this.#headSeen = false
    this.#keepAlive = false
    this.challenged = false
    if (head.authenticatesConnection) this.authenticated = true
    this.#parser.expect(traits)
    if (head.framing === 'length' || head.framing === 'chunked') this.#cork()
    this.#socket.write(head.text, 'latin1')
  }

  /** Writes body bytes. Accepts the chunk in every case. Returns false when the caller should wait for `onDrain`. */
  writeBody(chunk: Buffer): boolean {
    if (!this.#requestOpen || this.#phase === 'closed') return true
    switch (this.#framing) {
      case 'raw':
        if (this.#phase !== 'raw') {
          // No bytes may be sent before the 101. The window of the stream limits the waiting bytes.
          this.#beforeUpgrade.push(chunk)
          return false
        }
        this.#cork()
        return this.#socket.write(chunk)
      case 'chunked':
        if (chunk.length === 0) return true
        this.#bodySent = true
        this.#cork()
        this.#socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
        this.#socket.write(chunk)
        return this.#socket.write('\r\n', 'latin1')
      default:
        this.#requestLeft -= chunk.length
        if (this.#requestLeft < 0) {
          this.#refuse('The request body is longer than its Content-Length.')
          return true
        }
        this.#bodySent = true
        this.#cork()
        return this.#socket.write(chunk)
    }
  }

  /** Completes the request. */
  endBody(trailers: Fields | undefined): void {
    if (!this.#requestOpen || this.#phase === 'closed') return
    if (this.#framing === 'raw') {
      if (this.#phase !== 'raw') {
        this.#endAfterUpgrade = true
        return
      }
      this.#requestOpen = false
      this.#uncork()
      this.#socket.end()
      return
    }
    if (this.#framing === 'length' && this.#requestLeft > 0) {
      this.#refuse('The request body is shorter than its Content-Length.')
      return
    }
    if (this.#framing === 'chunked') {
      const text = lastChunk(trailers)
      if (text === undefined) {
        this.#refuse('A trailer of the request is not valid HTTP.')
        return
      }
      this.#cork()
      this.#socket.write(text, 'latin1')
    }
    this.#requestOpen = false
  }

  /** Stops reading. The backend cannot send more when the buffers of the kernel are full. */
  pause(): void {
    if (this.#paused || this.#phase === 'closed') return
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused || this.#phase === 'closed') return
    this.#paused = false
    this.#socket.resume()
  }

  /** Closes at once. The user gets no further call. The owner gets `onClosed`, also while connecting. */
  destroy(): void {
    if (this.#phase === 'closed') return
    // An incomplete raw exchange must not look complete, so the socket is reset instead of closed in order.
    const torn = this.#phase === 'raw' && (this.#requestOpen || this.#responseOpen)
    this.#close()
    if (torn) resetSocket(this.#socket)
    else this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  // Events of the parser.

  onHead(head: ResponseHead): void {
    if (head.status === 101) {
      this.#becomeRaw(head)
      return
    }
    if (head.status >= 200) {
      this.#headSeen = true
      this.#keepAlive = head.keepAlive
      this.keepAliveHintMs = head.keepAliveMs
      this.challenged = head.challengesConnection
      if (head.challengesConnection) this.authenticated = true
      if (this.#framing === 'raw') {
        // The backend declined the upgrade. No body was written after the head, and no body follows.
        this.#requestOpen = false
        this.#beforeUpgrade = []
      }
    }
    this.#user?.onHead(head)
  }

  onBody(chunk: Buffer): void {
    this.#user?.onBody(chunk)
  }

  onComplete(trailers: Fields | undefined): void {
    this.#responseOpen = false
    const user = this.#user
    this.#user = undefined
    user?.onComplete(trailers)
  }

  // Events of the socket.

  #onReady(): void {
    if (this.#phase !== 'connecting') return
    this.#connectTimer?.cancel()
    this.#phase = 'idle'
    this.#owner.onConnected(this)
  }

  #onRead(bytes: number): boolean {
    const buffer = this.#buffer
    this.#bytesSeen = true
    if (bytes === buffer.length && bytes < LARGE_BUFFER_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(LARGE_BUFFER_BYTES)
    }
    let used: number
    try {
      used = this.#parser.push(bytes === buffer.length ? buffer : buffer.subarray(0, bytes))
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      this.#lost(invalidResponse(error.message, error.causeCode, error))
      return true
    }
    if (this.#phase === 'busy' && !this.#responseOpen) this.#finish(used === bytes)
    else if (used < bytes) this.destroy()
    return true
  }

  /** Handles a complete response. `clean`: no byte followed it. */
  #finish(clean: boolean): void {
    if (!clean || this.#requestOpen || !this.#keepAlive) {
      this.destroy()
      return
    }
    this.#uncork()
    this.#phase = 'idle'
    // A user that has paused may still use the bytes in the buffer, and does not report when it has finished.
    if (this.#paused || this.#buffer.length > SMALL_BUFFER_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES)
    }
    this.resume()
    this.#owner.onIdle(this)
  }

  #onEnd(): void {
    if (this.#phase === 'raw') {
      this.#responseOpen = false
      this.#user?.onComplete(undefined)
    } else if (this.#phase === 'busy' && this.#parser.finish()) {
      this.onComplete(undefined)
      this.destroy()
    } else {
      this.#onClosed()
    }
  }

  /** The backend or both ends closed the connection. */
  #onClosed(): void {
    if (this.#phase === 'closed') return
    const { backend, secure } = this.#connector
    const connecting = this.#phase === 'connecting'
    this.#lost(connecting ? closedBeforeReady(backend, secure) : closedEarly(backend, this.#progress))
  }

  #onError(error: Error): void {
    if (this.#phase === 'closed') return
    const { backend, secure } = this.#connector
    this.#lost(
      this.#phase === 'connecting'
        ? connectFailure(error, backend, secure)
        : connectionFailure(error, backend, this.#progress),
    )
  }

  get #progress(): ResponseProgress {
    if (this.#headSeen || this.#phase === 'raw') return 'part of the body'
    return this.#bytesSeen ? 'part of the head' : 'nothing'
  }

  /** Fails because the data from the tunnel cannot be forwarded. */
  #refuse(detail: string): void {
    this.#lost(new TunnelError('protocol_error', { detail }))
  }

  #lost(error: TunnelError): void {
    if (this.#phase === 'closed') return
    const phase = this.#phase
    const user = this.#user
    const stale = phase === 'busy' && this.#uses > 1 && !this.#bytesSeen && !this.#bodySent
    const ended = phase === 'raw' && !this.#requestOpen && !this.#responseOpen
    this.#close()
    this.#socket.destroy()
    if (phase === 'connecting') this.#owner.onConnectFailed(this, error)
    else this.#owner.onClosed(this)
    if (!ended) user?.onFailure(error, stale)
  }

  #close(): void {
    this.#connectTimer?.cancel()
    this.#phase = 'closed'
    this.#user = undefined
    this.#beforeUpgrade = []
    this.#parser.stop()
  }

  #becomeRaw(head: ResponseHead): void {
    this.#phase = 'raw'
    this.#socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS)
    this.#owner.onDetached(this)
    this.#user?.onHead(head)
    const held = this.#beforeUpgrade
    this.#beforeUpgrade = []
    let room = true
    for (const chunk of held) room = this.writeBody(chunk)
    if (held.length > 0 && room) this.#user?.onDrain()
    if (this.#endAfterUpgrade) this.endBody(undefined)
  }

  // Body bytes wait for the end of the event-loop turn, so that all chunks of the turn are sent in one system call. Also,
  // a response that is already in the kernel (for example 413) is read first. Otherwise a failed write on the closed
  // connection would discard that response.
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    setImmediate(this.#uncorkLater)
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#socket.uncork()
  }
}
