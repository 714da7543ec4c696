// Captures one exchange while the proxy serves it. Heads are masked at once. The first bytes of both bodies are kept until the end, and
// masked then. An event stream or an upgraded connection is stored twice: when its response head arrives, and at its end.
//
//   begin ──▶ request body, 1xx, response ──▶ finish ──bodies are masked──▶ ring and feed
//                        └─ 101, event stream ──▶ ring and feed (open)

import { type FieldPairs, fieldValue } from '../masking/field-pairs.ts'
import { BodyMasker, type MaskedBody } from '../masking/mask-body.ts'
import { maskFields } from '../masking/mask-fields.ts'
import { maskUrl } from '../masking/mask-pairs.ts'
import type { MaskValue } from '../masking/value-mask.ts'
import { CapturedBody } from './captured-body.ts'
import type { CapturedBodyText, CapturedExchange } from './captured-exchange.ts'
import type { ExchangeRing } from './exchange-ring.ts'
import type { FailedAttempt } from './failed-attempt.ts'
import type { RequestLine } from './request-line.ts'

/** 1xx responses of one exchange that are kept. */
const MAX_INTERIM = 8

export interface CaptureRules {
  readonly maxBodyBytes: number
  /** JSON pointers with `*`. */
  readonly maskJson: readonly string[]
}

export interface CapturedRequest {
  readonly serviceId: string
  readonly rules: CaptureRules
  readonly scheme: string
  readonly method: string
  readonly target: string
  /** Names and values as they were received, alternating. */
  readonly rawFields: readonly string[]
  /** The line of the request before its response, with the status 0. */
  readonly line: RequestLine
  readonly replayOf: string | null
}

/** The parts of the inspector that a capture uses. */
export interface CaptureTarget {
  readonly memory: Pick<ExchangeRing, 'reserve' | 'release'>
  readonly mask: MaskValue
  /** Returns false when a body of this length must be left out, because the limit of this second is reached. */
  admitsBody(bytes: number): boolean
  /** Keeps the exchange, or replaces the open exchange with the same id. */
  store(exchange: CapturedExchange): void
  /** Called when masking has failed, which is a fault of Plugboard. The exchange is dropped. */
  failed(error: unknown): void
}

/** A response head without body. */
export interface CapturedHead {
  readonly status: number
  readonly statusText: string
  readonly fields: readonly string[]
  /** -1: the head states no length. */
  readonly contentLength?: number
}

interface ResponseHead {
  readonly status: number
  readonly statusText: string
  readonly isLocal: boolean
  readonly fields: FieldPairs
  readonly contentType: string
  readonly contentEncoding: string
}

export class ExchangeCapture {
  readonly id: string
  readonly #request: CapturedRequest
  readonly #target: CaptureTarget
  readonly #masker: BodyMasker
  readonly #received: Pick<CapturedExchange['received'], 'method' | 'target' | 'fields'>
  readonly #requestBody: CapturedBody
  #responseBody: CapturedBody
  #requestTrailers: FieldPairs | undefined
  #responseTrailers: FieldPairs | undefined
  readonly #interim: CapturedExchange['interim'] = []
  #head: ResponseHead | undefined
  /** Resolves with the id when the exchange is kept, or with undefined when it was dropped. */
  readonly stored: Promise<string | undefined>
  readonly #settle: (id: string | undefined) => void

  constructor(id: string, request: CapturedRequest, target: CaptureTarget) {
    const { rules, rawFields, method } = request
    this.id = id
    // Only masked values stay: the target and the fields are in `#received`.
    this.#request = { ...request, target: '', rawFields: [] }
    this.#target = target
    this.#masker = new BodyMasker(target.mask, rules.maskJson.map(segmentsOf))
    this.#received = {
      method,
      target: maskUrl(request.target, this.#masker),
      fields: this.#pairs(rawFields),
    }
    this.#requestBody = new CapturedBody(target.memory, rules.maxBodyBytes)
    this.#responseBody = new CapturedBody(target.memory, rules.maxBodyBytes)
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    this.stored = promise
    this.#settle = resolve
  }

  requestData(chunk: Buffer): void {
    this.#requestBody.add(chunk)
  }

  requestTrailers(raw: readonly string[]): void {
    this.#requestTrailers = this.#pairs(raw)
  }

  interim({ status, fields }: CapturedHead): void {
    if (this.#interim.length < MAX_INTERIM) this.#interim.push({ status, fields: this.#pairs(fields) })
  }

  responseHead(head: CapturedHead): void {
    this.#keepHead(head, false)
    const isStream = /^text\/event-stream/i.test(this.#head?.contentType ?? '')
    if (!isStream && head.status !== 101) return
    this.#responseBody.leaveOut('stream')
    if (head.status === 101) this.#requestBody.leaveOut('stream')
    const { line } = this.#request
    this.#store({ ...line, status: head.status }, [], true, null, null)
  }

  responseData(chunk: Buffer): void {
    this.#responseBody.add(chunk)
  }

  responseTrailers(raw: readonly string[]): void {
    this.#responseTrailers = this.#pairs(raw)
  }

  /** A response of Plugboard itself. It replaces a response head that was not sent. */
  localResponse(head: CapturedHead, body: Buffer): void {
    this.#keepHead(head, true)
    this.#responseBody.erase()
    this.#responseBody = new CapturedBody(this.#target.memory, this.#request.rules.maxBodyBytes)
    this.#responseBody.add(body)
  }

  /** Call once, at the end of the request. */
  finish(line: RequestLine, attempts: readonly FailedAttempt[]): void {
    this.#finish(line, attempts).catch((error: unknown) => {
      this.#settle(undefined)
      this.#target.failed(error)
    })
  }

  async #finish(line: RequestLine, attempts: readonly FailedAttempt[]): Promise<void> {
    const { maxBodyBytes } = this.#request.rules
    const received = this.#received.fields
    try {
      const [requestBody, responseBody] = await Promise.all([
        this.#masked(
          this.#requestBody,
          fieldValue(received, 'content-type'),
          fieldValue(received, 'content-encoding'),
          maxBodyBytes,
        ),
        this.#masked(this.#responseBody, this.#head?.contentType, this.#head?.contentEncoding, maxBodyBytes),
      ])
      this.#store(line, attempts, false, requestBody, responseBody)
      this.#settle(this.id)
    } finally {
      this.#requestBody.erase()
      this.#responseBody.erase()
    }
  }

  async #masked(
    body: CapturedBody,
    contentType = '',
    contentEncoding = '',
    maxBytes: number,
  ): Promise<CapturedBodyText | null> {
    const { length, omitted, isCut } = body
    if (length === 0) return null
    if (omitted !== undefined) return { bytes: length, text: null, isCut: true, omitted }
    if (this.#request.replayOf === null && !this.#target.admitsBody(length - body.missing))
      return { bytes: length, text: null, isCut: true, omitted: 'rate' }
    const bytes = body.take()
    const masked: MaskedBody = await this.#masker.body(
      { bytes, isCut, contentType, contentEncoding },
      maxBytes,
    )
    bytes.fill(0)
    return { bytes: length, text: masked.text ?? null, isCut: masked.isCut, omitted: masked.omitted ?? null }
  }

  #keepHead({ status, statusText, fields, contentLength = -1 }: CapturedHead, isLocal: boolean): void {
    const all = contentLength === -1 ? fields : [...fields, 'Content-Length', String(contentLength)]
    const pairs = this.#pairs(all)
    const contentType = fieldValue(pairs, 'content-type') ?? ''
    const contentEncoding = fieldValue(pairs, 'content-encoding') ?? ''
    this.#head = {
      status,
      // A backend may write the text of an error here.
      statusText: this.#masker.maskString(statusText),
      isLocal,
      fields: pairs,
      contentType,
      contentEncoding,
    }
  }

  #store(
    line: RequestLine,
    attempts: readonly FailedAttempt[],
    open: boolean,
    requestBody: CapturedBodyText | null,
    responseBody: CapturedBodyText | null,
  ): void {
    const { serviceId, scheme, replayOf, rules } = this.#request
    const head = this.#head
    this.#target.store({
      id: this.id,
      open,
      replayOf,
      request: this.#maskedLine(line),
      serviceId,
      scheme,
      received: {
        ...this.#received,
        body: requestBody,
        trailers: mutable(this.#requestTrailers),
      },
      interim: [...this.#interim],
      sent:
        head === undefined
          ? null
          : {
              status: head.status,
              statusText: head.statusText,
              isLocal: head.isLocal,
              fields: mutable(head.fields) ?? [],
              body: responseBody,
              trailers: mutable(this.#responseTrailers),
            },
      attempts: [...attempts],
      maskJson: [...rules.maskJson],
    })
  }

  #maskedLine(line: RequestLine): RequestLine {
    const { path, detail, userAgent } = line
    const { maskString } = this.#masker
    return {
      ...line,
      path: maskUrl(path, this.#masker),
      ...(detail === undefined ? {} : { detail: maskString(detail) }),
      ...(userAgent === undefined ? {} : { userAgent: maskString(userAgent) }),
    }
  }

  #pairs(raw: readonly string[]): [string, string][] {
    return mutable(maskFields(raw, this.#masker)) ?? []
  }
}

function mutable(pairs: FieldPairs | undefined): [string, string][] | null {
  return pairs === undefined ? null : pairs.map(([name, value]) => [name, value])
}

/** `/a~1b/c` → `['a/b', 'c']` (RFC 6901). */
function segmentsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(segment => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
