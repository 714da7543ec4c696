// The access line as JSON: the text of JSON.stringify for the fields in the order of AccessFields. Most lines are written as bytes,
// part by part, at a third of the cost of JSON.stringify with its copy. A line with another text than printable ASCII, or with
// a number of another form than a count or a duration, is left to JSON.stringify.

import type { AccessFields } from './fields.ts'
import { KnownMembers } from './known-members.ts'
import type { LineBytes } from './line-bytes.ts'

export type AccessLevel = 'info' | 'warn'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const [INFO, WARN] = [bytesOf('{"level":"info","time":"'), bytesOf('{"level":"warn","time":"')]
const METHOD = bytesOf('","method":"')
const HOST = bytesOf('","host":"')
const PATH = bytesOf('","path":"')
const STATUS = bytesOf('","status":')
const DURATION = bytesOf(',"durationMs":')
const BYTES_IN = bytesOf(',"bytesIn":')
const BYTES_OUT = bytesOf(',"bytesOut":')
const REMOTE_ADDRESS = bytesOf(',"remoteAddress":"')
const END_OF_TEXT = bytesOf('"')
const HEAD = bytesOf(',"headMs":')
const BACKEND = bytesOf(',"backendMs":')
const RETRIES = bytesOf(',"retries":')
const LIMIT = bytesOf(',"limit":"')
const CODE = bytesOf(',"code":"')
const CAUSE = bytesOf(',"cause":"')
const DETAIL = bytesOf(',"detail":"')
const TRACE = bytesOf(',"traceId":"')
const REPLAY = bytesOf(',"replayOf":"')
const USER_AGENT = bytesOf(',"userAgent":"')
const SAMPLE_RATE = bytesOf(',"sampleRate":')
const END_OF_LINE = bytesOf('}\n')

/** Writes access lines. The values of a record are safe already (safe-fields.ts). Times are milliseconds since 1970. */
export class AccessJson {
  readonly #base: Readonly<Record<string, unknown>>
  readonly #start: Uint8Array
  readonly #known = new KnownMembers()
  /** The second of the line before, and its text up to the point. Most lines are in the same second; Date takes 400 ns for each text. */
  #second = Number.NaN
  #secondBytes: Uint8Array = new Uint8Array(0)

  /** `base`: the fields of each line after the time. */
  constructor(base: Readonly<Record<string, unknown>>) {
    this.#base = base
    const members = JSON.stringify(base).slice(1, -1)
    this.#start = bytesOf(`Z"${members === '' ? '' : `,${members}`},"msg":"request","requestId":"`)
  }

  text(record: AccessFields, level: AccessLevel, timeMs: number): string {
    const { requestId, method, host, path, status, durationMs, bytesIn, bytesOut, remoteAddress } = record
    const { protocol, route, mount, service, telephoneId, peer, subset, headMs, backendMs, retries } = record
    const { limit, code, cause, detail, traceId, replayOf, userAgent, sampleRate } = record
    const request = { requestId, method, host, path, status, durationMs, bytesIn, bytesOut, remoteAddress }
    const outcome = { protocol, route, mount, service, telephoneId, peer, subset, headMs, backendMs, retries }
    const rest = { limit, code, cause, detail, traceId, replayOf, userAgent, sampleRate }
    const time = new Date(timeMs).toISOString()
    return `${JSON.stringify({ level, time, ...this.#base, msg: 'request', ...request, ...outcome, ...rest })}\n`
  }

  /** Writes the line. When `line` is not complete afterwards, the record needs `text`. */
  write(line: LineBytes, record: AccessFields, level: AccessLevel, timeMs: number): void {
    line.begin()
    line.put(level === 'info' ? INFO : WARN)
    this.#writeTime(line, timeMs)
    line.put(this.#start)
    line.putText(record.requestId)
    line.put(METHOD)
    line.putText(record.method)
    line.put(HOST)
    line.putText(record.host)
    line.put(PATH)
    line.putText(record.path)
    line.put(STATUS)
    line.putNumber(record.status)
    line.put(DURATION)
    line.putNumber(record.durationMs)
    line.put(BYTES_IN)
    line.putNumber(record.bytesIn)
    line.put(BYTES_OUT)
    line.putNumber(record.bytesOut)
    line.put(REMOTE_ADDRESS)
    line.putText(record.remoteAddress)
    line.put(END_OF_TEXT)
    line.put(this.#known.of(record))
    putNumber(line, HEAD, record.headMs)
    putNumber(line, BACKEND, record.backendMs)
    putNumber(line, RETRIES, record.retries)
    putText(line, LIMIT, record.limit)
    putText(line, CODE, record.code)
    putText(line, CAUSE, record.cause)
    putText(line, DETAIL, record.detail)
    putText(line, TRACE, record.traceId)
    putText(line, REPLAY, record.replayOf)
    putText(line, USER_AGENT, record.userAgent)
    putNumber(line, SAMPLE_RATE, record.sampleRate)
    line.put(END_OF_LINE)
  }

  #writeTime(line: LineBytes, timeMs: number): void {
    const ms = Math.trunc(timeMs)
    const second = Math.floor(ms / 1000)
    if (second !== this.#second) {
      this.#secondBytes = bytesOf(new Date(ms).toISOString().slice(0, -'000Z'.length))
      this.#second = second
    }
    line.put(this.#secondBytes)
    line.putDigits(ms - second * 1000, 3)
  }
}

function putNumber(line: LineBytes, name: Uint8Array, value: number | undefined): void {
  if (value === undefined) return
  line.put(name)
  line.putNumber(value)
}

function putText(line: LineBytes, name: Uint8Array, value: string | undefined): void {
  if (value === undefined) return
  line.put(name)
  line.putText(value)
  line.put(END_OF_TEXT)
}
