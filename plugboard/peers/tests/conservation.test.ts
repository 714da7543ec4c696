// Tests that all counts return to zero for streams over a link and a tunnel: bytes held at each end, streams, and shares of
// clients. A seed determines the actions of both ends, the budgets, and the way each stream ends.

import { Session, type SessionEvents } from '@vera-stack/shared/protocol/session.ts'
import { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { runSeed, seededRandom } from '../../../test/support/seeded-random.ts'
import { type MemoryEnd, memoryTransportPair } from '../../../test/support/session/memory-transport.ts'
import { RecordedStream } from '../../../test/support/session/recorded-stream.ts'
import { relayStream } from '../stream-relay.ts'

/** Number of runs for each ending. The environment variable RUNS sets another number. */
const RUNS = Number(process.env.RUNS ?? 20)
const STEPS = 120
const CLIENTS = ['192.0.2.1', '192.0.2.2', '2001:db8:0:7::/64', '']
const MAX_STREAMS = 8
/** A client's share of the streams: 75 %. */
const SHARE = 6
const LIMITS = {
  initialWindowBytes: 20_000,
  maxWindowBytes: 60_000,
  windowGrowthBytes: 100_000,
  sendHighWaterBytes: 30_000,
  maxStreams: MAX_STREAMS,
}

/** The owner of one end of a stream. It skips actions that are not allowed in the state of the stream. */
class Owner extends RecordedStream {
  unreadBytes = 0
  responded = false
  finished = false
  /** True for an owner that still counts held bytes after the end of its stream. */
  holds = false

  override onData(chunk: Buffer): void {
    super.onData(chunk)
    this.unreadBytes += chunk.length
  }

  override onEnd(trailers: string[] | undefined): void {
    super.onEnd(trailers)
    if (this.holds) this.stream.holdAfterEnd()
  }

  consume(bytes: number): void {
    if (this.aborted !== undefined) return
    const some = Math.min(bytes, this.unreadBytes)
    this.unreadBytes -= some
    this.stream.consume(some)
  }

  respond(status: number, fields: string[] = []): void {
    if (!this.stream.open || this.responded) return
    this.responded = status >= 200
    this.stream.respond({ status, statusText: '', fields })
  }

  write(bytes: number): void {
    if (this.stream.open && this.responded && !this.finished) this.stream.write(Buffer.alloc(bytes))
  }

  end(trailers?: string[]): void {
    if (!this.stream.open || !this.responded || this.finished) return
    this.finished = true
    this.stream.end(trailers)
  }

  leave(): void {
    if (this.stream.open) this.stream.reset('cancelled')
    else this.stream.release()
  }
}

function account(budgetBytes: number, parent?: HeldBytes, ofPrincipals = false): HeldBytes {
  return new HeldBytes({ budgetBytes, parent, ofPrincipals })
}

/** The full path: the replica of the clients ── link ── the replica of the tunnel ── tunnel ── the telephone. */
class Way {
  readonly clock = new ManualClock()
  readonly linkClock = new ManualClock()
  readonly link
  readonly tunnel
  readonly accounts: HeldBytes[] = []
  readonly sessions: Session[] = []
  /** Owners of the stream ends at the replica of the clients, and at the telephone. */
  readonly near: Owner[] = []
  readonly far: Owner[] = []
  readonly #random: () => number
  readonly #remote: HeldBytes

  /** `budgetBytes` is the budget of all accounts; default: random, from the seed. */
  constructor(seed: number, budgetBytes?: number) {
    this.#random = seededRandom(seed)
    const faults = { wireCapacityBytes: 1000 + (budgetBytes === undefined ? this.below(100_000) : 0) }
    this.link = memoryTransportPair({ seed, faults, clock: this.linkClock })
    this.tunnel = memoryTransportPair({ seed: seed + 1, faults, clock: this.linkClock })
    const budget = () => budgetBytes ?? 20_000 + Math.floor(this.#random() ** 3 * 1_000_000)
    const chain = (): HeldBytes => {
      const process = account(2 * budget(), undefined, true)
      const token = account(budget() + 10_000, process)
      const session = account(budget(), token)
      this.accounts.push(process, token, session)
      return session
    }
    this.#remote = chain()
    const opener = this.#session('dialer', this.link.a, () => undefined)
    const home = this.#session('acceptor', this.tunnel.a, () => undefined, chain())
    this.#session('acceptor', this.link.b, (stream, opening) =>
      relayStream(stream, opening, (_target, forwarded, events, end) => home.open(forwarded, events, end)),
    )
    this.#session('dialer', this.tunnel.b, (stream, opening) => this.#accept(stream, opening), chain())
    expect(opener).toBe(this.sessions[0])
  }

  any<Value>(values: readonly Value[]): Value | undefined {
    return values[Math.floor(this.#random() * values.length)]
  }

  below(bytes: number): number {
    return Math.floor(this.#random() * bytes)
  }

  open(client: string, headBytes = 0, end = this.below(3) === 0): Owner | undefined {
    const session = this.sessions[0]!
    if (!session.canOpen || !session.hasRoomFor(client) || this.#remote.full) return undefined
    const owner = new Owner()
    owner.responded = true
    owner.holds = this.below(2) === 0
    const fields = ['x', 'y'.repeat(headBytes)]
    const opening = {
      kind: 'http',
      hops: 1,
      service: 'web',
      method: 'POST',
      target: '/',
      fields,
      client,
    } as const
    owner.finished = end
    owner.stream = session.open(opening, owner, end, this.#remote)
    this.near.push(owner)
    return owner
  }

  step(): void {
    const owner = this.any(this.below(2) === 0 ? this.near : this.far)
    const trailers = this.below(3) === 0 ? ['t', 'v'.repeat(this.below(9000))] : undefined
    switch (this.below(12)) {
      case 0:
      case 1:
        this.open(this.any(CLIENTS)!, this.below(4) === 0 ? this.below(15_000) : 0)
        break
      case 2:
      case 3:
        owner?.write(this.below(3) === 0 ? 1 + this.below(10) : 1 + this.below(50_000))
        break
      case 4:
        for (let count = this.below(200); count > 0; count -= 1) owner?.write(1)
        break
      case 5:
      case 6:
        owner?.consume(this.below(60_000))
        break
      case 7:
        if (this.far.includes(owner!)) owner!.respond(this.any([100, 103, 200, 200, 404])!, trailers)
        break
      case 8:
        owner?.end(trailers)
        break
      case 9:
        if (owner?.stream.open === true) owner.stream.keep(this.below(20_000))
        break
      case 10:
        if (this.below(3) === 0) owner?.leave()
        break
      default:
        this.#stall(this.any([this.link.a, this.link.b, this.tunnel.a, this.tunnel.b])!)
    }
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** Reads, responds and ends until each stream is over. */
  async finish(): Promise<void> {
    for (const end of [this.link.a, this.link.b, this.tunnel.a, this.tunnel.b]) end.resume()
    for (let round = 0; round < 100; round += 1) {
      for (const owner of [...this.near, ...this.far]) {
        owner.respond(200)
        owner.consume(owner.unreadBytes)
        owner.end()
      }
      await this.settle()
      if (this.sessions.every(({ streamCount }) => streamCount === 0)) return
    }
  }

  get counts(): Record<string, number[]> {
    return {
      held: this.accounts.map(({ heldBytes }) => heldBytes),
      streams: this.sessions.map(({ streamCount }) => streamCount),
    }
  }

  #stall(end: MemoryEnd): void {
    if (this.below(2) === 0) end.pause()
    else end.resume()
  }

  #accept(stream: Stream, opening: Opening): StreamEvents {
    const owner = new Owner()
    owner.stream = stream
    owner.opening = opening
    owner.holds = this.below(2) === 0
    this.far.push(owner)
    return owner
  }

  #session(
    role: 'dialer' | 'acceptor',
    transport: MemoryEnd,
    onStream: (stream: Stream, opening: Opening) => StreamEvents | undefined,
    held?: HeldBytes,
  ): Session {
    const events: SessionEvents = {
      onReady: () => undefined,
      onStream: (stream, opening) => onStream(stream, opening) ?? new Owner(),
      onControl: () => undefined,
      onPeerDrain: () => undefined,
      onClose: () => undefined,
    }
    const identity = {
      agent: 'test/1',
      instance: `instance-${this.sessions.length}`,
      name: 'test',
      startedAt: 1,
    }
    const session = new Session({
      role,
      transport,
      identity,
      events,
      limits: LIMITS,
      clock: this.clock,
      held,
    })
    this.sessions.push(session)
    return session
  }
}

const ZERO = { held: [0, 0, 0, 0, 0, 0, 0, 0, 0], streams: [0, 0, 0, 0] }

const ENDINGS: Record<string, (way: Way) => void | Promise<void>> = {
  'all streams finish': way => way.finish(),
  'the link breaks': way => way.link.cut(),
  'the tunnel breaks': way => way.tunnel.cut(),
  'the clients leave': way => {
    for (const owner of way.near) owner.leave()
  },
  'the telephone resets all streams': way => {
    for (const owner of way.far) owner.leave()
  },
  'the tunnel drains without grace': way => void way.sessions[1]!.drain(0),
  'the link is closed': way => way.sessions[2]!.close('going_away'),
}

it.each(Object.keys(ENDINGS))('returns all counts to zero when %s', async ending => {
  const first = runSeed()
  for (let run = 0; run < RUNS; run += 1) {
    const seed = first + run
    const way = new Way(seed)
    await way.settle()
    for (let step = 0; step < STEPS; step += 1) {
      way.step()
      if (way.below(3) === 0) await new Promise<void>(resolve => setImmediate(resolve))
    }
    await ENDINGS[ending]!(way)
    await way.settle()
    await way.finish()
    // Owners release the bytes that they hold after the end of their streams.
    for (const owner of [...way.near, ...way.far]) owner.leave()
    await way.settle()
    expect(way.counts, `SEED=${seed}`).toEqual(ZERO)
    expect(
      [...way.near, ...way.far].flatMap(({ violations }) => violations),
      `SEED=${seed}`,
    ).toEqual([])
    if (way.sessions.every(({ state }) => state === 'open')) {
      const opened = Array.from({ length: MAX_STREAMS }, () => way.open('192.0.2.1'))
      expect(
        opened.filter(owner => owner !== undefined),
        `SEED=${seed}`,
      ).toHaveLength(SHARE)
    }
    for (const session of way.sessions) session.close('going_away')
    await way.settle()
    expect(way.counts, `SEED=${seed}`).toEqual(ZERO)
    expect(way.clock.pendingTimers, `SEED=${seed}`).toBe(0)
  }
})

/** Creates a path without limits, and a stream for each of `requests`. True: the request ends with its head. */
async function openWay(requests: readonly boolean[]): Promise<Way> {
  const way = new Way(1, 1_000_000)
  await way.settle()
  for (const end of requests) way.open('192.0.2.1', 0, end)
  await way.settle()
  expect(way.far).toHaveLength(requests.length)
  return way
}

it('counts no bytes after a response that ends before its request, for a client that reads late', async () => {
  const way = await openWay([false])
  const [near, far] = [way.near[0]!, way.far[0]!]
  far.respond(200, ['x', 'y'.repeat(6000)])
  far.write(20_000)
  await way.settle()
  far.write(20_000)
  far.end()
  await way.settle()
  for (let round = 0; round < 10; round += 1) {
    near.consume(near.unreadBytes)
    await way.settle()
  }
  expect(near.receivedBytes).toBe(40_000)
  near.end()
  await way.settle()
  expect(way.counts).toEqual(ZERO)
})

/** Lets all telephones respond completely while the link is congested. */
async function respondWhileCongested(way: Way): Promise<void> {
  way.link.a.pause()
  for (const far of way.far) {
    far.respond(200)
    far.write(18_000)
    await way.settle()
    far.end()
    await way.settle()
  }
}

/** Lets the link and all clients read again. */
async function readAll(way: Way): Promise<void> {
  way.link.a.resume()
  for (let round = 0; round < 10; round += 1) {
    for (const near of way.near) near.consume(near.unreadBytes)
    await way.settle()
  }
}

it('counts no bytes after a response that ends while the link is congested', async () => {
  const way = await openWay([true, true, true, true])
  await respondWhileCongested(way)
  await readAll(way)
  expect(way.counts).toEqual(ZERO)
})

it('counts no bytes after a request that ends behind its response while the link is congested', async () => {
  const way = await openWay([false, false, false, false])
  await respondWhileCongested(way)
  for (const near of way.near) near.end()
  await way.settle()
  await readAll(way)
  expect(way.counts).toEqual(ZERO)
})
