// Parses the bytes of a backend connection into response heads, bodies and trailers, for any split of the bytes. In the
// usual case, a whole head in one chunk, it decodes and scans the head once. Body bytes are not copied: the sink gets
// views of the chunk. Strict as RFC 9112 requires of a recipient that forwards: response-head.ts checks the head, this
// file the chunks. Independent of sockets; of the request it uses only the traits.
//
//            ┌─ 1xx ─┐
//            ▼       │    ┌─► length ─────────────────────────────────────┐
//   idle ─► head ────┴────┼─► size ◄─► data ─► data-cr ─► data-lf ─► size │
//            │            │     └─► trailers ─────────────────────────────┼─► idle (onComplete)
//            └─ 101 ─► raw└─► close ── finish() ──────────────────────────┘
//
// The state is a number with plain fields instead of a union of objects, because this code runs for each read.

import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { HeadCollector } from './head-collector.ts'
import { HttpError, NOT_HTTP } from './http-error.ts'
import { LenientHeadCollector } from './lenient-head.ts'
import { parseResponseHead, parseTrailers, type RequestTraits, type ResponseHead } from './response-head.ts'

/** The parsing of heads: `lenient` accepts some inexact heads (lenient-head.ts). */
export type BackendParsing = 'strict' | 'lenient'

export interface ParserLimits {
  /** Limit of the status line and fields, and of a trailer section, bytes. */
  readonly maxHeadBytes: number
  readonly maxFields: number
  /** Limit of all chunk extensions of one response, which are skipped, bytes. */
  readonly maxExtensionBytes: number
  /** Limit of 1xx responses before the final one. */
  readonly maxInterim: number
}

export const DEFAULT_PARSER_LIMITS: ParserLimits = {
  maxHeadBytes: 65_536,
  maxFields: 256,
  maxExtensionBytes: 16_384,
  maxInterim: 64,
}

export interface ResponseSink {
  /** A 1xx head, any number of times, then one final head. After a 101 all further bytes are `onBody`. */
  onHead(head: ResponseHead): void
  /** A view of the chunk given to `push`. */
  onBody(chunk: Buffer): void
  /** The response is complete and the parser is idle. Not called for a response that ends with the connection. */
  onComplete(trailers: Fields | undefined): void
}

const IDLE = 0
const HEAD = 1
const LENGTH = 2
const CLOSE = 3
const RAW = 4
const SIZE_FIRST = 5
const SIZE = 6
const EXTENSION = 7
const SIZE_LF = 8
const DATA = 9
const DATA_CR = 10
const DATA_LF = 11
const TRAILERS = 12

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b
/** 2^44 bytes: 11 digits at most, so that no size leaves the safe integers. */
const MAX_SIZE_DIGITS = 11
const PREFIX = 'HTTP/1.'
/** Length, type and flags of a SETTINGS frame, which an HTTP/2 server sends first. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these bytes begin an HTTP/2 frame
const HTTP2 = /^\0..\x04\0/s
/** Type and major version of a TLS alert: the response of a TLS server to a request without TLS. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these bytes begin a TLS record
const TLS_ALERT = /^\x15\x03/
const CHUNK_TOO_LONG = 'a chunk is longer than its stated size'
const BAD_CHUNK_SIZE = 'the size of a chunk is not a hexadecimal number'
const CHUNK_SIZE_TOO_LONG = `the size of a chunk has more than ${MAX_SIZE_DIGITS} hexadecimal digits`
const NEEDS_HTTP2 = 'the port uses HTTP/2: write the target with h2c://, or h2:// with TLS'
const NEEDS_TLS = 'the port requires TLS: write the target with https://, or h2:// for HTTP/2'

export class ResponseParser {
  readonly #sink: ResponseSink
  readonly #limits: ParserLimits
  readonly #head: HeadCollector | LenientHeadCollector
  #trailers: HeadCollector | undefined
  #state = IDLE
  #request: RequestTraits = { head: false, upgrade: false }
  #remaining = 0
  #digits = 0
  #extensionBytes = 0
  #interim = 0

  /** `parsing`: of heads. Chunks and trailers are always read strictly. */
  constructor(
    sink: ResponseSink,
    limits: ParserLimits = DEFAULT_PARSER_LIMITS,
    parsing: BackendParsing = 'strict',
  ) {
    this.#sink = sink
    this.#limits = limits
    this.#head =
      parsing === 'lenient'
        ? new LenientHeadCollector(limits.maxHeadBytes)
        : new HeadCollector(limits.maxHeadBytes, '')
  }

  /** Expects the response to a request that was sent. Call it only when idle. */
  expect(request: RequestTraits): void {
    this.#request = request
    this.#state = HEAD
    this.#interim = 0
    this.#extensionBytes = 0
  }

  /** Stops all calls of the sink, also in the middle of a chunk. */
  stop(): void {
    this.#state = IDLE
  }

  /**
   * Parses bytes and calls the sink. Returns the number of bytes used: fewer than all when the response ends inside the
   * chunk, and 0 when no response is expected. Throws HttpError; the parser cannot be used after that.
   */
  push(chunk: Buffer): number {
    let at = 0
    const end = chunk.length
    while (at < end) {
      switch (this.#state) {
        case IDLE:
          return at
        case HEAD:
          at = this.#readHead(chunk, at)
          break
        case LENGTH:
        case DATA:
          at = this.#readBody(chunk, at)
          break
        case CLOSE:
        case RAW:
          this.#sink.onBody(at === 0 ? chunk : chunk.subarray(at))
          return end
        case TRAILERS:
          at = this.#readTrailers(chunk, at)
          break
        default:
          at = this.#readChunkLine(chunk, at)
      }
    }
    return at
  }

  /** Handles an orderly end of the connection. Returns true when that completes the response. Does not call the sink. */
  finish(): boolean {
    const complete = this.#state === CLOSE || this.#state === RAW
    this.#state = IDLE
    return complete
  }

  /** Throws HttpError when the start of an unfinished head is not the start of an HTTP/1 head. */
  #checkStart(): void {
    const start = this.#head.start(PREFIX.length)
    if (!PREFIX.startsWith(start)) throw notHttp1(start)
  }

  #readHead(chunk: Buffer, at: number): number {
    let next: number
    try {
      next = this.#head.read(chunk, at)
    } catch (error) {
      // Bytes of another protocol can break a rule of HTTP too. Report the other protocol first.
      this.#checkStart()
      throw error
    }
    if (next === -1) {
      this.#checkStart()
      return chunk.length
    }
    const head = parseResponseHead(this.#head.text, this.#request, this.#limits.maxFields)
    if (head.status < 200 && head.status !== 101) {
      this.#interim += 1
      if (this.#interim > this.#limits.maxInterim) throw tooManyInterim(this.#limits.maxInterim)
      this.#sink.onHead(head)
      return next
    }
    if (head.status === 101) this.#state = RAW
    else if (head.framing === 'length') this.#state = LENGTH
    else if (head.framing === 'chunked') this.#state = SIZE_FIRST
    else if (head.framing === 'close') this.#state = CLOSE
    this.#remaining = head.contentLength
    const empty = head.framing === 'length' && head.contentLength === 0
    this.#sink.onHead(head)
    if (head.status !== 101 && (head.framing === 'none' || empty) && this.#state !== IDLE)
      this.#complete(undefined)
    return next
  }

  #readBody(chunk: Buffer, at: number): number {
    const bytes = Math.min(this.#remaining, chunk.length - at)
    this.#remaining -= bytes
    const whole = at === 0 && bytes === chunk.length
    this.#sink.onBody(whole ? chunk : chunk.subarray(at, at + bytes))
    if (this.#remaining === 0 && this.#state !== IDLE) {
      if (this.#state === LENGTH) this.#complete(undefined)
      else this.#state = DATA_CR
    }
    return at + bytes
  }

  /** Parses the lines around chunks byte by byte, because they are short and may be split anywhere. */
  #readChunkLine(chunk: Buffer, start: number): number {
    let at = start
    const end = chunk.length
    while (at < end) {
      const byte = chunk[at] as number
      at += 1
      switch (this.#state) {
        case DATA_CR:
          if (byte !== CR) throw new HttpError(CHUNK_TOO_LONG)
          this.#state = DATA_LF
          break
        case DATA_LF:
          if (byte !== LF) throw new HttpError(CHUNK_TOO_LONG)
          this.#state = SIZE_FIRST
          break
        case SIZE_FIRST:
          this.#remaining = hexDigit(byte)
          if (this.#remaining === -1) throw new HttpError(BAD_CHUNK_SIZE)
          this.#digits = 1
          this.#state = SIZE
          break
        case SIZE:
          this.#sizeByte(byte)
          break
        case EXTENSION:
          if (byte === CR) this.#state = SIZE_LF
          else this.#extensionByte(byte)
          break
        default: // SIZE_LF
          if (byte !== LF) throw new HttpError('a bare CR follows the size of a chunk')
          this.#state = this.#remaining === 0 ? TRAILERS : DATA
          return at
      }
    }
    return at
  }

  #sizeByte(byte: number): void {
    if (byte === CR) {
      this.#state = SIZE_LF
    } else if (byte === SEMICOLON) {
      this.#state = EXTENSION
    } else {
      const digit = hexDigit(byte)
      this.#digits += 1
      if (digit === -1) throw new HttpError(BAD_CHUNK_SIZE)
      if (this.#digits > MAX_SIZE_DIGITS) throw new HttpError(CHUNK_SIZE_TOO_LONG)
      this.#remaining = this.#remaining * 16 + digit
    }
  }

  #extensionByte(byte: number): void {
    if (byte < 0x20 ? byte !== 0x09 : byte === 0x7f)
      throw new HttpError('a chunk extension contains a control character')
    this.#extensionBytes += 1
    if (this.#extensionBytes > this.#limits.maxExtensionBytes) {
      throw new HttpError(`the chunk extensions exceed ${this.#limits.maxExtensionBytes} bytes`)
    }
  }

  #readTrailers(chunk: Buffer, at: number): number {
    this.#trailers ??= new HeadCollector(this.#limits.maxHeadBytes, '\r\n')
    // Nearly all responses have no trailers.
    if (!this.#trailers.pending && chunk[at] === CR && chunk[at + 1] === LF) {
      this.#complete(undefined)
      return at + 2
    }
    const next = this.#trailers.read(chunk, at)
    if (next === -1) return chunk.length
    this.#complete(parseTrailers(this.#trailers.text, this.#limits.maxFields))
    return next
  }

  #complete(trailers: Fields | undefined): void {
    this.#state = IDLE
    this.#sink.onComplete(trailers)
  }
}

function tooManyInterim(limit: number): HttpError {
  return new HttpError(`more than ${limit} interim responses (1xx) precede the final response`)
}

/** `start`: the first characters of a response that is not HTTP/1. */
function notHttp1(start: string): HttpError {
  if (HTTP2.test(start)) return new HttpError(NEEDS_HTTP2, 'http2_required')
  if (TLS_ALERT.test(start)) return new HttpError(NEEDS_TLS, 'tls_required')
  return new HttpError(NOT_HTTP)
}

/** Returns the value of an ASCII hexadecimal digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
