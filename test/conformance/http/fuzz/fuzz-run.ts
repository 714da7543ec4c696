// Sends mutated streams through the whole stack, and compares each one with the requests that the twin finds in the same bytes:
//   * the backend receives exactly the requests that the twin finds
//   * each request gets its own response, once
//   * a canary on the same connection (when it is still open) and one on another connection get their own responses
//   * no request hangs, and both ends are alive at the end

import { type Random, seededRandom } from '../../../support/seeded-random.ts'
import type { EdgeStack } from '../edge-stack.ts'
import type { BackendRequest } from '../recording-backend.ts'
import { FuzzClient, type FuzzResponse } from './fuzz-client.ts'
import { cuts, mutatedStream } from './mutate.ts'
import { readTwin, type TwinReading, type TwinRequest } from './twin.ts'

export interface FuzzOptions {
  readonly edge: EdgeStack
  readonly seed: number
  /** The number of mutated streams. Most of them have one request. */
  readonly count: number
  /** Connections at the same time. */
  readonly workers?: number
  /** The number of the first stream, to repeat one. */
  readonly from?: number
  readonly progress?: (done: number) => void
}

export interface FuzzReport {
  streams: number
  /** Complete requests for the backend according to the twin, and requests that arrived there. */
  expected: number
  forwarded: number
  /** Streams that have a fault according to the twin. */
  faulty: number
  /** Requests that the twin accepts and Plugboard rejects, by status. */
  stricter: Record<string, number>
  canaries: number
  durationMs: number
  readonly violations: string[]
}

const PATIENCE_MS = 20_000
const REMEMBERED = 2000
const MAX_VIOLATIONS = 20

interface Stream {
  readonly index: number
  readonly bytes: string
  readonly twin: TwinReading
  readonly records: Set<number>
  /** True when its requests were checked. Later requests are late: they arrived after the end of their connection. */
  settled: boolean
}

export class Fuzz {
  readonly #options: FuzzOptions
  readonly #requests = new Map<number, BackendRequest>()
  readonly #streams = new Map<string, Stream>()
  /** Requests at the backend that do not show to which stream they belong. */
  readonly #orphans = new Set<BackendRequest>()
  #numbers = 0
  #next: number
  readonly report: FuzzReport = {
    streams: 0,
    expected: 0,
    forwarded: 0,
    faulty: 0,
    stricter: {},
    canaries: 0,
    durationMs: 0,
    violations: [],
  }

  constructor(options: FuzzOptions) {
    this.#options = options
    this.#next = options.from ?? 0
  }

  async run(): Promise<FuzzReport> {
    const { edge, workers = 4 } = this.#options
    const startedAt = performance.now()
    edge.backend.handler = request => this.#arrived(request)
    await Promise.all(Array.from({ length: workers }, () => this.#work()))
    for (const stream of this.#streams.values()) this.#settle(stream)
    for (const { head } of this.#orphans) this.#violation(undefined, `no client sent ${JSON.stringify(head)}`)
    for (const fault of edge.backend.faults) this.#violation(undefined, `the backend got ${fault}`)
    if (!edge.plugboard.child.running)
      this.#violation(undefined, `Plugboard has exited\n${edge.plugboard.child.output}`)
    this.report.durationMs = performance.now() - startedAt
    return this.report
  }

  async #work(): Promise<void> {
    const { from = 0, count, seed, edge, progress } = this.#options
    let neighbour = new FuzzClient(edge.port)
    while (this.#next < from + count && this.report.violations.length < MAX_VIOLATIONS) {
      const index = this.#next
      this.#next += 1
      const random = seededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1))
      const bytes = mutatedStream(random, String(index))
      const stream: Stream = { index, bytes, twin: readTwin(bytes), records: new Set(), settled: false }
      this.#remember(stream)
      try {
        await this.#send(stream, random)
        await this.#canary(neighbour, 'neighbour.test', stream)
      } catch (error) {
        this.#violation(stream, (error as Error).message)
        neighbour.destroy()
        neighbour = new FuzzClient(edge.port)
      }
      if (stream.twin.end === 'error') this.report.faulty += 1
      this.#settle(stream)
      this.report.streams += 1
      progress?.(this.report.streams)
    }
    neighbour.destroy()
  }

  async #send(stream: Stream, random: Random): Promise<void> {
    const { twin, bytes } = stream
    const client = new FuzzClient(this.#options.edge.port)
    try {
      await client.send(bytes, cuts(random, bytes.length))
      let response: FuzzResponse | undefined
      for (const request of twin.requests) {
        response = await client.respond(request.method, PATIENCE_MS)
        if (response === undefined) {
          if (client.ended === 'fin') throw new Error('a request without a response')
          return
        }
        this.#judge(stream, request, response)
        if (response.close) break
      }
      if (response?.close === true || twin.end !== 'open') {
        if (twin.end === 'incomplete') client.end()
        const silent = response?.close === true || twin.end === 'ignored'
        // A request without a route gets its response before the fault in its body.
        const refused = twin.partial !== undefined && twin.partial.target === undefined
        await this.#untilClosed(
          client,
          silent ? [] : refused ? [twin.partial?.method, undefined] : [undefined],
        )
      } else {
        await this.#canary(client, 'edge.test', stream)
      }
    } finally {
      client.destroy()
    }
  }

  /** Accepts at most one response of Plugboard itself for each of these methods, then the end. */
  async #untilClosed(client: FuzzClient, methods: readonly (string | undefined)[]): Promise<void> {
    for (let more = 0; ; more += 1) {
      const response = await client.respond(methods[more], PATIENCE_MS)
      if (response === undefined) return
      // 204 is the response to OPTIONS *.
      const ours = response.request === undefined && (response.status >= 400 || response.status === 204)
      if (!ours || more >= methods.length) {
        throw new Error(`one response too many: ${JSON.stringify(response)}`)
      }
    }
  }

  async #canary(client: FuzzClient, host: string, { index }: Stream): Promise<void> {
    const target = `/canary-${host}-${index}`
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const response = await client.respond('GET', PATIENCE_MS)
    if (response?.status !== 200 || response.body !== `GET ${target} `) {
      throw new Error(`the canary of ${host} got ${JSON.stringify(response)}`)
    }
    this.#requests.delete(response.request!)
    this.report.canaries += 1
  }

  #judge(stream: Stream, expected: TwinRequest, response: FuzzResponse): void {
    if (expected.target !== undefined) this.report.expected += 1
    if (response.request === undefined) {
      if (response.status < 400 && response.status !== 204)
        throw new Error(`Plugboard responded with ${response.status}`)
      if (expected.target === undefined) return
      const { stricter } = this.report
      stricter[response.status] = (stricter[response.status] ?? 0) + 1
      return
    }
    const request = this.#requests.get(response.request)
    // A request without a nonce can belong to any stream with an equal request. #settle may have assigned it before.
    if (request === undefined || (nonceOf(request) !== undefined && !stream.records.has(response.request))) {
      throw new Error('a response to another request')
    }
    this.#orphans.delete(request)
    this.#requests.delete(response.request)
    stream.records.delete(response.request)
    if (request.state !== 'complete' || !isSame(request, expected)) {
      throw new Error(`${JSON.stringify(request.head + request.body)} instead of ${JSON.stringify(expected)}`)
    }
    this.report.forwarded += 1
  }

  /** Checks the other requests of the stream: requests whose response was lost, and aborted requests. */
  #settle(stream: Stream): void {
    stream.settled = true
    for (const number of stream.records) this.#settleOne(stream, number)
    for (const orphan of this.#orphans) if (isMeant(stream.twin, orphan)) this.#orphans.delete(orphan)
  }

  #settleOne(stream: Stream, number: number): void {
    const request = this.#requests.get(number)
    this.#requests.delete(number)
    stream.records.delete(number)
    // A late request is checked at its end, or at the end of the run.
    if (request === undefined || isMeant(stream.twin, request)) return
    this.#violation(
      stream,
      `at the backend, ${request.state}: ${JSON.stringify(request.head + request.body)}`,
    )
  }

  #arrived(request: BackendRequest): void {
    this.#options.edge.backend.requests.length = 0
    this.#numbers += 1
    const number = this.#numbers
    this.#requests.set(number, request)
    void request.over.then(how => {
      const body = `${request.method} ${request.target} ${request.body}`
      if (how === 'complete') request.respond(200, body, `X-Backend-Request: ${number}\r\n`)
    })
    if (request.target.startsWith('/canary-')) return
    const nonce = nonceOf(request)
    const stream = nonce === undefined ? undefined : this.#streams.get(nonce)
    if (stream === undefined) this.#orphans.add(request)
    else stream.records.add(number)
    if (stream?.settled === true) void request.over.then(() => this.#settleOne(stream, number))
  }

  #remember(stream: Stream): void {
    this.#streams.set(String(stream.index), stream)
    if (this.#streams.size <= REMEMBERED) return
    const [oldest] = this.#streams.keys()
    this.#streams.delete(oldest!)
  }

  #violation(stream: Stream | undefined, what: string): void {
    const where =
      stream === undefined
        ? `seed ${this.#options.seed}`
        : `seed ${this.#options.seed}, stream ${stream.index}: ${JSON.stringify(stream.bytes.slice(0, 3000))}\n  the twin: ${JSON.stringify(stream.twin).slice(0, 1500)}`
    this.report.violations.push(`${what}\n  ${where}`)
  }
}

/** Returns the number of the stream of a request. Undefined when a mutation removed the number. */
function nonceOf({ head }: BackendRequest): string | undefined {
  return /~(\d+)~/.exec(head)?.[1]
}

function isSame(request: BackendRequest, expected: TwinRequest): boolean {
  const kept = request.fields.filter(([name]) => /^x-keep/i.test(name)).map(field => field.join(': '))
  return (
    isBegun(request, expected) &&
    (request.body === expected.body || (expected.mayBeEmpty && request.body === '')) &&
    JSON.stringify(kept) === JSON.stringify(expected.kept)
  )
}

function isBegun(request: BackendRequest, expected: TwinRequest): boolean {
  return (
    request.method === expected.method &&
    request.target === expected.target &&
    request.all('host')[0] === expected.host &&
    expected.body.startsWith(request.body)
  )
}

/** True for one of the twin's requests, or for a part of the incomplete request, which must never be complete. */
function isMeant(twin: TwinReading, request: BackendRequest): boolean {
  const begun = [...twin.requests, twin.partial].filter(each => each !== undefined)
  if (twin.requests.some(expected => isSame(request, expected))) return true
  if (begun.some(each => each.mayBeEmpty && isSame(request, each))) return true
  if (request.state === 'complete') return false
  return begun.some(each => isBegun(request, each))
}
