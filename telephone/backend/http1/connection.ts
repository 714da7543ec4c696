// One connection to a backend, one exchange on it at a time: writes the request in its framing, reads the
// answer, and knows when it may carry another one. A connection that is not clean, for whatever reason, is
// closed: bytes after an answer, an upload cut short, a body that was announced and must not come.
//
//   connecting ──► idle ◄──► busy ──► raw (after a 101)
//        └───────────┴─────────┴───────┴──► closed
//
// Pooling and retries are pool.ts and exchange.ts; this file does not know why a request is sent.

import type { OnReadOpts, Socket } from 'node:net'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { resetSocket } from '@vera-stack/shared/reset-socket.ts'
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
import { HttpError } from './http-error.ts'
import { lastChunk, type RequestFraming, type RequestHead } from './request-head.ts'
import type { RequestTraits, ResponseHead } from './response-head.ts'
import {
  type BackendParsing,
  type ParserLimits,
  ResponseParser,
  type ResponseSink,
} from './response-parser.ts'

/** Whoever uses the connection for one exchange. */
export interface ConnectionUser {
  /** 1xx heads, then the final one. After a 101, `onBody` and `onComplete` are the raw bytes and their end. */
  onHead(head: ResponseHead): void
  /** The chunk is valid during the call; when the user pauses in it, until it resumes. Copy what must last. */
  onBody(chunk: Buffer): void
  /** The answer is complete. The connection is no longer the user's, unless it is raw. */
  onComplete(trailers: Fields | undefined): void
  /** After a write that returned false: there is room again. */
  onDrain(): void
  /** The connection is gone before the answer was complete. `stale`: it may have been dead when it was taken. */
  onFailure(error: TunnelError, stale: boolean): void
}

/** The pool, as a connection sees it. */
export interface ConnectionOwner {
  onConnected(connection: Connection): void
  onConnectFailed(connection: Connection, error: TunnelError): void
  /** Clean and ready for the next exchange. */
  onIdle(connection: Connection): void
  /** Switched to another protocol: alive, but it will never come back. */
  onDetached(connection: Connection): void
  /** The end of a connection that was connected, or that was destroyed before. */
  onClosed(connection: Connection): void
}

export interface ConnectionOptions {
  readonly connector: Connector
  readonly owner: ConnectionOwner
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly parserLimits: ParserLimits
  readonly backendParsing: BackendParsing
}

// One buffer a connection, read into again and again: no allocation and no copy, however much passes. It starts
// small, since there may be thousands of quiet WebSockets, and grows once when a read has filled it, until the
// answer is over. A quarter of the large size costs a tenth more CPU.
const SMALL_BUFFER_BYTES = 16_384
const LARGE_BUFFER_BYTES = 262_144
const TCP_KEEP_ALIVE_MS = 30_000

export class Connection implements ResponseSink {
  /** When it became idle, ms of the clock; the pool's to read. */
  idleSince = 0
  /** What the backend said about how long it keeps idle connections, ms. */
  keepAliveHintMs: number | undefined
  /** True once the connection may be authenticated: it never carries a request of another client. */
  authenticated = false
  /** True when its last response asks the client to go on with the authentication. */
  challenged = false
  /** Id of the client connection that uses it; undefined when there is none, or it is not known. */
  affinity: string | undefined
  /** The client whose request has it; undefined while idle. The pool's to read and write. */
  client: string | undefined
  readonly #socket: Socket
  readonly #connector: Connector
  readonly #owner: ConnectionOwner
  readonly #parser: ResponseParser
  #connectTimer: Timer | undefined
  #phase: 'connecting' | 'idle' | 'busy' | 'raw' | 'closed' = 'connecting'
  #user: ConnectionUser | undefined
  #uses = 0
  #framing: RequestFraming = 'none'
  #requestLeft = 0
  #requestOpen = false
  #answerOpen = false
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

  /** Can a request be written now, as far as this end can tell? */
  get usable(): boolean {
    return this.#phase === 'idle' && this.#socket.writable && !this.#socket.readableEnded
  }

  /** Switched to another protocol by a 101. */
  get raw(): boolean {
    return this.#phase === 'raw'
  }

  /** Sends a request; its body follows with `writeBody` and `endBody`. Only when idle. */
  start(head: RequestHead, traits: RequestTraits, user: ConnectionUser): void {
    this.#phase = 'busy'
    this.#user = user
    this.#uses += 1
    this.#framing = head.framing
    this.#requestLeft = head.contentLength
    this.#requestOpen = true
    this.#answerOpen = true
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

  /** Takes body bytes, always; false asks to wait for `onDrain`. */
  writeBody(chunk: Buffer): boolean {
    if (!this.#requestOpen || this.#phase === 'closed') return true
    switch (this.#framing) {
      case 'raw':
        if (this.#phase !== 'raw') {
          // Nothing may pass before the 101; what waits here is bounded by the stream's window.
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
          this.#refuse('request body longer than its Content-Length')
          return true
        }
        this.#bodySent = true
        this.#cork()
        return this.#socket.write(chunk)
    }
  }

  /** The request half is complete. */
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
      this.#refuse('request body shorter than its Content-Length')
      return
    }
    if (this.#framing === 'chunked') {
      const text = lastChunk(trailers)
      if (text === undefined) {
        this.#refuse('a trailer that HTTP does not allow')
        return
      }
      this.#cork()
      this.#socket.write(text, 'latin1')
    }
    this.#requestOpen = false
  }

  /** Stops reading; the backend feels it when the kernel's buffers are full. */
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

  /** Closes at once. The user hears nothing more; the owner hears `onClosed`, also while connecting. */
  destroy(): void {
    if (this.#phase === 'closed') return
    // Half of a raw exchange must not look like all of it: a reset, not an orderly end.
    const torn = this.#phase === 'raw' && (this.#requestOpen || this.#answerOpen)
    this.#close()
    if (torn) resetSocket(this.#socket)
    else this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  // What the parser finds.

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
        // An upgrade declined: nothing was written behind the head, and nothing will be.
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
    this.#answerOpen = false
    const user = this.#user
    this.#user = undefined
    user?.onComplete(trailers)
  }

  // What the socket reports.

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
    if (this.#phase === 'busy' && !this.#answerOpen) this.#finish(used === bytes)
    else if (used < bytes) this.destroy()
    return true
  }

  /** The answer is complete. `clean`: no byte came behind it. */
  #finish(clean: boolean): void {
    if (!clean || this.#requestOpen || !this.#keepAlive) {
      this.destroy()
      return
    }
    this.#uncork()
    this.#phase = 'idle'
    // A user that has paused still holds what was read, and will not tell us when it lets go.
    if (this.#paused || this.#buffer.length > SMALL_BUFFER_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES)
    }
    this.resume()
    this.#owner.onIdle(this)
  }

  #onEnd(): void {
    if (this.#phase === 'raw') {
      this.#answerOpen = false
      this.#user?.onComplete(undefined)
    } else if (this.#phase === 'busy' && this.#parser.finish()) {
      this.onComplete(undefined)
      this.destroy()
    } else {
      this.#onClosed()
    }
  }

  /** The backend has ended the connection, or both ends have. */
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

  /** What came through the tunnel cannot be sent on. */
  #refuse(detail: string): void {
    this.#lost(new TunnelError('protocol_error', { detail }))
  }

  #lost(error: TunnelError): void {
    if (this.#phase === 'closed') return
    const phase = this.#phase
    const user = this.#user
    const stale = phase === 'busy' && this.#uses > 1 && !this.#bytesSeen && !this.#bodySent
    const ended = phase === 'raw' && !this.#requestOpen && !this.#answerOpen
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

  // Body bytes wait for the end of the event-loop turn. All of the turn's chunks leave in one system call; and
  // an answer that is already in the kernel (413, say) is read before a write can fail on the closed connection
  // and take that answer with it.
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
