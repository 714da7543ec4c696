// Sends copies of requests to a subset of their service (`mirror`), and counts them. A copy starts after the head of the real
// response was relayed, and has no effect on real requests: it has its own bound and its own deadline, and is counted apart. It
// writes no access line. All copies end when Plugboard drains.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import { DEFAULT_MIRROR_BODY_BYTES, type MirrorRules } from '../../routes/rules/mirror-rules.ts'
import { mirrorLine } from '../../telephones/mirrors/mirror-line.ts'
import type { LinePicker } from '../../telephones/picker/line-picker.ts'
import type { Candidate } from '../../telephones/pools/line-pool.ts'
import { subsetsOf } from '../../telephones/subsets/service-subsets.ts'
import type { ProxyCounters } from '../counters.ts'
import { hasBody, type RoutedRequest } from '../edge/routed-request.ts'
import { type MirrorResult, MirrorStream } from './mirror-stream.ts'
import { type CompleteBody, MIRROR_CLIENT, type MirroredRequest, wantsMirror } from './mirrored-request.ts'

/** Copies of a service that may be in flight with any number of open streams. */
const MIN_BOUND = 10
/** Further copies, as a share of the open streams of the service. */
const BOUND_SHARE = 0.1

export interface MirrorsOptions {
  readonly picker: LinePicker
  readonly clock: Clock
  readonly counters: ProxyCounters
  readonly log: Logger
  /** Returns a uniform random number in [0, 1). */
  readonly random?: () => number
}

/** The body of a request. */
export interface MirroredBody {
  /** Returns the body when it is complete, still in memory, and not longer than `maxBytes`. */
  keptBody(maxBytes: number): CompleteBody | undefined
}

export class Mirrors {
  readonly #options: MirrorsOptions
  readonly #random: () => number
  readonly #active = new Set<MirrorStream>()
  /** The number of copies in flight of each service that has some. */
  readonly #counts = new Map<ServiceId, number>()
  #closed = false

  constructor(options: MirrorsOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  /** The number of copies in flight. */
  get size(): number {
    return this.#active.size
  }

  /**
   * Returns the copy of a request whose response begins; undefined: it is not copied. `servedBy`: the subset whose process has
   * responded. `body`: undefined: the request has none.
   */
  copyOf(
    rules: MirrorRules,
    request: RoutedRequest,
    servedBy: string | undefined,
    body: MirroredBody | undefined,
  ): MirroredRequest | undefined {
    if (this.#closed || !wantsMirror(rules, request, servedBy, this.#random())) return undefined
    if (!hasBody(request)) return { request, rules, body: undefined }
    const complete = body?.keptBody(rules.maxBodyBytes ?? DEFAULT_MIRROR_BODY_BYTES)
    if (complete !== undefined) return { request, rules, body: complete }
    this.#options.counters.mirrorsSkipped += 1
    return undefined
  }

  /** Sends the copy after the current turn of the event loop, in which the head of the real response is written. */
  send(copy: MirroredRequest): void {
    setImmediate(() => {
      if (!this.#closed) this.#start(copy)
    })
  }

  /** Ends all copies. No further ones are sent. */
  close(): void {
    this.#closed = true
    for (const stream of this.#active) stream.cancel()
  }

  #start(copy: MirroredRequest): void {
    const { clock, counters } = this.#options
    const line = this.#lineFor(copy)
    if (line === undefined) {
      counters.mirrorsSkipped += 1
      return
    }
    const { id } = copy.request.route.service
    counters.mirrored += 1
    this.#count(id, 1)
    const stream = new MirrorStream({
      clock,
      copy,
      line,
      onEnd: result => {
        this.#active.delete(stream)
        this.#count(id, -1)
        if (result.kind === 'failed') this.#failed(copy, line, result)
      },
    })
    this.#active.add(stream)
    stream.start()
  }

  /** Returns undefined when the bound is reached, or when no process of the subset takes the copy. */
  #lineFor({ request, rules }: MirroredRequest): Candidate | undefined {
    const { service } = request.route
    const pool = this.#options.picker.poolOf(service.name)
    // The newest policy, because another one would group the processes anew, and the guards of subsets would start again.
    const subsets = subsetsOf(service.policy, service.id)
    if (pool === undefined || subsets === undefined) return undefined
    const bound = MIN_BOUND + pool.holders.length * BOUND_SHARE
    if ((this.#counts.get(service.id) ?? 0) + 1 > bound) return undefined
    const { maxStreamsPerTelephone } = service.policy
    const target = { subsets, subset: rules.to, maxStreamsPerTelephone, client: MIRROR_CLIENT }
    return mirrorLine(pool, target, this.#random())
  }

  #failed(
    { request, rules }: MirroredRequest,
    { line }: Candidate,
    { code, detail, err }: Extract<MirrorResult, { kind: 'failed' }>,
  ): void {
    const { counters, log } = this.#options
    counters.mirrorFailures += 1
    log.debug('copy of a request failed', {
      requestId: request.requestId,
      service: request.route.service.name,
      subset: rules.to,
      telephoneId: line.telephone,
      code,
      detail,
      err,
    })
  }

  #count(service: ServiceId, change: 1 | -1): void {
    const count = (this.#counts.get(service) ?? 0) + change
    if (count === 0) this.#counts.delete(service)
    else this.#counts.set(service, count)
  }
}
