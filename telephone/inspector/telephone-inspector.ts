// The inspector of a Telephone: captures the exchanges with its backends, keeps them in memory with masked secrets, and sends one again to
// its backend. So a developer without access to Plugboard sees the requests of the own tunnel.

import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { CapturedExchange, ExchangeSummary } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { ExchangeKeeper } from '@vera-stack/shared/inspect/exchange-keeper.ts'
import type { ReplayEdits } from '@vera-stack/shared/inspect/replay/replay-edits.ts'
import { replayedRequest } from '@vera-stack/shared/inspect/replay/replayed-request.ts'
import { requestLine } from '@vera-stack/shared/inspect/request-line.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Backend, Report } from '../backend/forward/backend.ts'
import { fieldValueOf, type StreamInspector } from '../backend/forward/forward.ts'
import { type CapturedBytes, CapturedStream, capturedEvents } from './captured-stream.ts'
import { LocalReplay } from './local-replay.ts'

/** The rules of each capture, as the defaults of Plugboard's `inspect`. */
const RULES = { maxBodyBytes: 65_536, maskJson: [] }

export interface TelephoneInspectorOptions {
  /** The name of the telephone. It stands in the lines of exchanges. */
  readonly name: string
  /** Returns the backend of a service. */
  readonly backendOf: (service: string) => Backend | undefined
  readonly log: Logger
  readonly clock?: Clock
}

export interface LocalReplayed {
  readonly exchange: CapturedExchange
  /** The masked values that are left out. */
  readonly leftOut: readonly string[]
}

/** Why a replay has no result. */
export type ReplayFailure = 'not_found' | 'no_backend' | 'busy' | 'not_kept'

/** Replays in progress. */
const MAX_REPLAYS = 4

export class TelephoneInspector implements StreamInspector {
  readonly #options: TelephoneInspectorOptions
  readonly #keeper: ExchangeKeeper
  readonly #services = new Set<string>()
  readonly #replays = new Set<LocalReplay>()

  constructor(options: TelephoneInspectorOptions) {
    this.#options = options
    const { clock = systemClock, log } = options
    this.#keeper = new ExchangeKeeper({ clock, log, nextId: randomUUID })
  }

  /** Opens the stream at the backend, and captures the exchange when the limit of this second is not reached. */
  open(backend: Backend, stream: Stream, opening: Opening, report: Report | undefined): StreamEvents {
    if (!this.#keeper.admits()) return backend.open(stream, opening, report)
    return this.#capture(backend, stream, opening, report, null).events
  }

  /** Returns the exchanges, the newest first. */
  list(): ExchangeSummary[] {
    return [...this.#services]
      .flatMap(service => this.#keeper.ring.ofService(service))
      .sort(
        (left, right) => right.request.at.localeCompare(left.request.at) || right.id.localeCompare(left.id),
      )
  }

  get(id: string): CapturedExchange | undefined {
    return this.#keeper.ring.get(id)
  }

  /** Sends an exchange to its backend again, without Plugboard. Rejects with ReplayProblem. */
  async replay(id: string, edits: ReplayEdits = {}): Promise<LocalReplayed | ReplayFailure> {
    const original = this.get(id)
    if (original === undefined) return 'not_found'
    const backend = this.#options.backendOf(original.serviceId)
    if (backend === undefined) return 'no_backend'
    const request = replayedRequest(original, edits)
    if (this.#replays.size >= MAX_REPLAYS) return 'busy'
    const { clock = systemClock } = this.#options
    const replay = new LocalReplay(request, original, clock)
    this.#replays.add(replay)
    try {
      const { stream, opening } = replay
      const { events, stored } = this.#capture(backend, stream, opening, undefined, original.id)
      replay.run(events)
      const kept = await stored
      const exchange = kept === undefined ? undefined : this.get(kept)
      return exchange === undefined ? 'not_kept' : { exchange, leftOut: request.leftOut }
    } finally {
      replay.close()
      this.#replays.delete(replay)
    }
  }

  /** Ends the replays, and removes all exchanges. */
  stop(): void {
    for (const replay of this.#replays) replay.cancel()
    this.#keeper.stop()
  }

  #capture(
    backend: Backend,
    stream: Stream,
    opening: Opening,
    report: Report | undefined,
    replayOf: string | null,
  ): { readonly events: StreamEvents; readonly stored: Promise<string | undefined> } {
    const { name, clock = systemClock } = this.#options
    const { service, method, target, fields } = opening
    const startedAtMs = clock.now()
    const bytes: CapturedBytes = { bytesIn: 0, bytesOut: 0 }
    const field = (wanted: string): string => fieldValueOf(fields, wanted) ?? ''
    const request = {
      requestId: field('x-request-id'),
      method,
      host: field('host'),
      path: target.split('?', 1)[0] as string,
      remoteAddress: opening.client ?? '',
      service,
      telephoneId: name,
      ...(replayOf === null ? {} : { replayOf }),
    }
    const line = (status: number, more: object = {}) =>
      requestLine(
        {
          ...request,
          status,
          durationMs: clock.now() - startedAtMs,
          ...bytes,
          ...more,
        },
        clock.wallTime(),
        name,
      )
    this.#services.add(service)
    const capture = this.#keeper.begin({
      serviceId: service,
      rules: RULES,
      scheme: field('x-forwarded-proto') || 'http',
      method,
      target,
      rawFields: [...fields],
      line: line(0),
      replayOf,
    })
    let headMs: number | undefined
    let backendMs: number | undefined
    const events = backend.open(new CapturedStream(stream, capture, bytes), opening, {
      responded: backendUs => {
        headMs = clock.now() - startedAtMs
        backendMs = backendUs / 1000
        report?.responded(backendUs)
      },
      ended: (status, code, failure) => {
        report?.ended(status, code, failure)
        const times = headMs === undefined ? {} : { headMs, backendMs }
        const error = {
          ...(code === undefined ? {} : { code }),
          ...(failure === undefined ? {} : { cause: failure.cause, detail: failure.detail }),
        }
        capture.finish(line(status, { ...times, ...error }), [])
      },
    })
    return { events: capturedEvents(events, capture, bytes), stored: capture.stored }
  }
}
