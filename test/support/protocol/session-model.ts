// The model of a connection between two sessions, for the commands of fast-check. The model records the bytes and the ends of
// each owner, so that each arrival can be checked at once. The bytes are a pattern that differs for each stream and
// direction.

import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { isPattern, patternBytes } from '../pattern.ts'
import type { RecordedStream } from '../session/recorded-stream.ts'
import { SessionPair, type SessionPairOptions } from '../session/session-pair.ts'

const INITIAL_WINDOW_BYTES = 5000
const MAX_WINDOW_BYTES = 40_000

const LIMITS = {
  initialWindowBytes: INITIAL_WINDOW_BYTES,
  maxWindowBytes: MAX_WINDOW_BYTES,
  windowGrowthBytes: 60_000,
  maxStreams: 6,
  sendHighWaterBytes: 20_000,
}

/** One end of one stream: the actions of its owner, and the events that the owner received. */
export class Flow {
  readonly recorded: RecordedStream
  /** The offset in the pattern of our bytes, and of the bytes of the peer. */
  readonly #ownOffset: number
  readonly #farOffset: number
  peer: Flow | undefined
  responded: boolean
  writtenBytes = 0
  ended = false
  trailers: Fields | undefined
  reset = false
  consumedBytes = 0
  #checkedBytes = 0
  readonly problems: string[] = []

  constructor(recorded: RecordedStream, opener: boolean, number: number) {
    this.recorded = recorded
    this.responded = opener
    this.#ownOffset = 1009 * (2 * number + (opener ? 0 : 1))
    this.#farOffset = 1009 * (2 * number + (opener ? 1 : 0))
    const { onData, onEnd } = recorded
    recorded.onData = chunk => {
      if (!isPattern(chunk, this.#farOffset + this.#checkedBytes)) this.problems.push('wrong bytes')
      this.#checkedBytes += chunk.length
      if (this.unreadBytes + chunk.length > MAX_WINDOW_BYTES) this.problems.push('more than a window')
      onData.call(recorded, chunk)
    }
    recorded.onEnd = trailers => {
      const far = this.peer
      recorded.stream.holdAfterEnd()
      if (!far?.ended) this.problems.push('END that the other end did not send')
      if (this.#checkedBytes !== far?.writtenBytes) this.problems.push('END before all bytes')
      if (JSON.stringify(trailers) !== JSON.stringify(far?.trailers)) this.problems.push('wrong trailers')
      onEnd.call(recorded, trailers)
    }
  }

  get unreadBytes(): number {
    return this.recorded.receivedBytes - this.consumedBytes
  }

  get canWrite(): boolean {
    return this.recorded.stream.open && this.responded && !this.ended
  }

  respond(status: number): void {
    if (!this.recorded.stream.open || this.responded) return
    if (status >= 200) this.responded = true
    this.recorded.stream.respond({ status, statusText: '', fields: [] })
  }

  write(bytes: number): void {
    if (!this.canWrite) return
    const chunk = patternBytes(this.#ownOffset + this.writtenBytes, bytes)
    this.writtenBytes += bytes
    this.recorded.stream.write(chunk)
  }

  end(trailers: Fields | undefined): void {
    if (!this.canWrite) return
    this.ended = true
    this.trailers = trailers
    this.recorded.stream.end(trailers)
  }

  cancel(): void {
    if (!this.recorded.stream.open) return
    this.reset = true
    this.recorded.stream.reset('cancelled')
  }

  /** Consumes received bytes, also after the end of the far half, because `onEnd` calls `holdAfterEnd`. */
  consume(bytes: number): void {
    const { stream } = this.recorded
    if (this.recorded.aborted !== undefined || (this.reset && !this.recorded.ended)) return
    const some = Math.min(bytes, this.unreadBytes)
    this.consumedBytes += some
    stream.consume(some)
  }

  /** Returns the violated rules of a stream whose session has ended. */
  verifyOver(): string[] {
    const { recorded } = this
    const problems = [...this.problems, ...recorded.violations]
    if (recorded.stream.open) problems.push('still open')
    // After END, the owner holds the received bytes until it consumes them, so it can still be asked to drop them.
    if (recorded.aborted && this.reset && !recorded.ended) problems.push('aborted after our own reset')
    const complete = recorded.ended && this.ended
    if (!recorded.aborted && !this.reset && !complete) problems.push('no end')
    return problems
  }
}

export class ModelledPair extends SessionPair {
  readonly flows: [Flow[], Flow[]] = [[], []]
  #number = 0

  constructor(link: SessionPairOptions['link'], budgetBytes: number) {
    super({
      limits: LIMITS,
      budgetBytes,
      ...(link === undefined ? {} : { link }),
      onStream: recorded => this.#accepted(recorded),
    })
  }

  /** Opens a stream when the session allows it. */
  openOn(side: 0 | 1, complete: boolean): void {
    const end = this.ends[side]
    if (!end.session.canOpen) return
    this.#number += 1
    const recorded = end.open({ target: `${side} ${this.#number}` }, complete)
    const flow = new Flow(recorded, true, this.#number)
    flow.ended = complete
    this.flows[side].push(flow)
  }

  problems(): string[] {
    const counts = this.ends.flatMap(({ held }, side) => {
      let unreadBytes = 0
      for (const flow of this.flows[side]!) if (flow.recorded.stream.open) unreadBytes += flow.unreadBytes
      return held.heldBytes < unreadBytes ? [`${held.heldBytes} bytes counted of ${unreadBytes} unread`] : []
    })
    const ofFlows = this.flows
      .flat()
      .flatMap(({ problems, recorded }) => [...problems, ...recorded.violations])
    return [...ofFlows, ...counts]
  }

  #accepted(recorded: RecordedStream): void {
    const [side, number] = recorded.opening!.target.split(' ').map(Number) as [0 | 1, number]
    const flow = new Flow(recorded, false, number)
    const opener = this.flows[side].find(
      ({ recorded: { opening } }) => opening!.target === recorded.opening!.target,
    )!
    flow.peer = opener
    opener.peer = flow
    this.flows[side === 0 ? 1 : 0].push(flow)
  }
}

/** Reads and ends all streams in an orderly way. Resolves with false when a stream does not end. */
export async function finishPolitely(pair: ModelledPair): Promise<boolean> {
  for (const transport of [pair.link.a, pair.link.b]) transport.resume()
  for (let round = 0; round < 200; round += 1) {
    for (const flow of pair.flows.flat()) {
      flow.respond(200)
      flow.consume(flow.unreadBytes)
      flow.end(undefined)
    }
    await pair.advance(20, 10)
    if (pair.ends.every(({ session }) => session.streamCount === 0)) return true
  }
  return false
}
