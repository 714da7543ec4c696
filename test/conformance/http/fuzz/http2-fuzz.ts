// Sends mutated HTTP/2 requests through the whole stack, each on its own connection:
//   * a request at the backend has exactly the mark and the whole body that were sent; a body without an end is never a
//     complete request
//   * the connection stays usable, and a canary on it gets its own response; or the connection ends
//   * a canary over HTTP/1.1 on another connection gets its own response
//   * no request hangs, and Plugboard is alive at the end

import { within } from '../../../support/deadline.ts'
import { FRAME } from '../../../support/http/http2-frames.ts'
import { RawHttp2 } from '../../../support/http/raw-http2.ts'
import { seededRandom } from '../../../support/seeded-random.ts'
import type { EdgeStack } from '../edge-stack.ts'
import type { BackendRequest } from '../recording-backend.ts'
import { FuzzClient } from './fuzz-client.ts'
import { type Http2Case, mutatedHttp2 } from './http2-mutate.ts'

export interface Http2FuzzOptions {
  readonly edge: EdgeStack
  /** The port for HTTP/2 in cleartext. */
  readonly port: number
  readonly seed: number
  readonly count: number
  readonly workers: number
}

export interface Http2FuzzReport {
  requests: number
  /** Requests that reached the backend completely. */
  forwarded: number
  /** Connections that stayed usable after the mutated request. */
  survived: number
  readonly violations: string[]
}

const PATIENCE_MS = 20_000
const MAX_VIOLATIONS = 20
const CANARY_STREAM = 101
const MAX_GREETINGS = 5
/** Cases whose requests may still arrive. */
const REMEMBERED = 2000

export class Http2Fuzz {
  readonly report: Http2FuzzReport = { requests: 0, forwarded: 0, survived: 0, violations: [] }
  readonly #options: Http2FuzzOptions
  /**
   * The last cases by their marks, also those that are over: a request may arrive at the backend after the end of its connection,
   * and behind later requests, which use other connections of the backend.
   */
  readonly #cases = new Map<string, Http2Case>()
  /** Broken cases that are sent now, and the one before on each worker. */
  readonly #broken = new Set<string>()
  #next = 0

  constructor(options: Http2FuzzOptions) {
    this.#options = options
  }

  async run(): Promise<Http2FuzzReport> {
    const { edge, workers } = this.#options
    edge.backend.handler = request => this.#arrived(request)
    await Promise.all(Array.from({ length: workers }, () => this.#work()))
    for (const fault of edge.backend.faults) this.report.violations.push(`the backend got ${fault}`)
    return this.report
  }

  async #work(): Promise<void> {
    const { count, seed, port } = this.#options
    let neighbour = new FuzzClient(port)
    let last = ''
    while (this.#next < count && this.report.violations.length < MAX_VIOLATIONS) {
      const index = this.#next
      this.#next += 1
      const mark = `~${index}~`
      const each = mutatedHttp2(seededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1)), mark)
      this.#remember(mark, each)
      try {
        await within(this.#send(each, index), PATIENCE_MS, 'the connection continues, or ends')
        await neighbour.send(`GET /canary-${index} HTTP/1.1\r\nHost: neighbour.test\r\n\r\n`)
        const response = await neighbour.respond('GET', PATIENCE_MS)
        if (response?.body !== `GET /canary-${index} `) {
          neighbour = new FuzzClient(port)
          // A connection that has waited too long may be closed (S1). A wrong response is a fault.
          if (response !== undefined && response.status !== 408)
            throw new Error(`the canary over HTTP/1.1 got ${JSON.stringify(response)}`)
        }
      } catch (error) {
        this.report.violations.push(
          `seed ${seed}, request ${index}: ${(error as Error).message}\n${JSON.stringify(each.bytes.toString('latin1'))}`,
        )
      }
      this.#broken.delete(last)
      last = mark
      this.report.requests += 1
    }
    neighbour.destroy()
  }

  #remember(mark: string, each: Http2Case): void {
    this.#cases.set(mark, each)
    if (each.broken) this.#broken.add(mark)
    const [oldest] = this.#cases.keys()
    if (this.#cases.size > REMEMBERED) this.#cases.delete(oldest!)
  }

  async #send({ bytes }: Http2Case, index: number): Promise<void> {
    const raw = await this.#greeted()
    try {
      raw.send(bytes)
      raw.request(CANARY_STREAM, [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', `/canary-${index}-2`],
        [':authority', 'edge.test'],
      ])
      const response = raw.next(({ type, streamId }) => type === FRAME.data && streamId === CANARY_STREAM)
      const first = await Promise.race([response, raw.closed().then(() => undefined)]).catch(() => undefined)
      if (first === undefined) return
      if (first.payload.toString() !== `GET /canary-${index}-2 `) {
        throw new Error(`the canary got ${first.payload.toString('latin1')}`)
      }
      this.report.survived += 1
    } finally {
      raw.destroy()
    }
  }

  /** Sends the preface, with retries: on a busy machine, the short limit for the preface may end the connection before. */
  async #greeted(): Promise<RawHttp2> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await (await RawHttp2.open(this.#options.port)).greet()
      } catch (error) {
        if (attempt === MAX_GREETINGS) throw error
      }
    }
  }

  #arrived(request: BackendRequest): void {
    void request.over.then(how => {
      if (how !== 'complete') return
      request.respond(200, `${request.method} ${request.target} `)
      this.#judge(request)
    })
  }

  #judge(request: BackendRequest): void {
    if (request.target.startsWith('/canary-')) return
    const [mark] = request.all('x-mark')
    const sent = mark === undefined ? undefined : this.#cases.get(mark)
    // A changed byte may belong to the mark.
    const maybeBroken = this.#broken.size > 0
    if ((sent === undefined && !maybeBroken) || request.target.includes('hidden')) {
      this.report.violations.push(`no client sent ${JSON.stringify(request.head)}`)
      return
    }
    this.report.forwarded += 1
    if (sent?.broken === false && request.body !== sent.body) {
      this.report.violations.push(
        `${mark}: ${JSON.stringify(request.body)} instead of ${JSON.stringify(sent.body)}`,
      )
    }
  }
}
