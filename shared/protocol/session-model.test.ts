// Two sessions over a faulty link, with all actions of owners and all faults of the link, in any order, as fast-check commands.
// The rules: bytes arrive in order and unaltered; END arrives after all of them; a cut body never looks complete; every stream
// has one end at each owner; no stream is open at the end.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Flow, finishPolitely, ModelledPair } from '../../test/support/protocol/session-model.ts'
import { runSeed } from '../../test/support/seeded-random.ts'

type Side = 0 | 1
/** The state of the connection as a whole; streams are modelled by their flows. */
interface World {
  /** True when an end of the connection has begun or is certain. */
  closed: boolean
  /** True when an end has stopped reading for some time. */
  stalled: boolean
}
type Command = fc.AsyncCommand<World, ModelledPair>

const side = fc.constantFrom<Side>(0, 1)
const index = fc.nat(20)

function command(
  name: string,
  run: (pair: ModelledPair, world: World) => void | Promise<void>,
  check: (world: Readonly<World>) => boolean = () => true,
): Command {
  return {
    check,
    toString: () => name,
    run: async (world, pair) => {
      await run(pair, world)
      expect(pair.problems()).toEqual([])
    },
  }
}

/** A command for some open stream of one end. */
function onStream<Argument>(
  name: string,
  argument: fc.Arbitrary<Argument>,
  run: (flow: Flow, argument: Argument) => void,
): fc.Arbitrary<Command> {
  return fc.tuple(side, index, argument).map(([at, which, value]) =>
    command(`${name}(${at}, ${which}, ${value})`, pair => {
      const flows = pair.flows[at].filter(({ recorded }) => recorded.stream.open)
      const flow = flows[which % Math.max(1, flows.length)]
      if (flow !== undefined) run(flow, value)
    }),
  )
}

const often = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(side, fc.integer({ min: 0, max: 3 }))
      .map(([at, drawn]) => command(`open(${at}, ${drawn === 0})`, pair => pair.openOn(at, drawn === 0))),
  },
  {
    weight: 4,
    arbitrary: onStream('respond', fc.constantFrom(103, 200, 200), (flow, status) => flow.respond(status)),
  },
  {
    weight: 8,
    arbitrary: onStream('write', fc.integer({ min: 1, max: 3000 }), (flow, bytes) => flow.write(bytes)),
  },
  {
    weight: 3,
    arbitrary: onStream('write', fc.integer({ min: 1, max: 90_000 }), (flow, bytes) => flow.write(bytes)),
  },
  {
    weight: 3,
    arbitrary: onStream(
      'end',
      fc.constantFrom<string[] | undefined>(undefined, ['a', 'b']),
      (flow, trailers) => flow.end(trailers),
    ),
  },
  { weight: 1, arbitrary: onStream('reset', fc.constant(''), flow => flow.cancel()) },
  {
    weight: 8,
    arbitrary: onStream('consume', fc.constantFrom(1, 2500, 100_000), (flow, bytes) => flow.consume(bytes)),
  },
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 10 })
      .map(turns => command(`settle(${turns})`, pair => pair.settle(turns))),
  },
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 100 })
      .map(ms => command(`advance(${ms})`, pair => pair.advance(ms, 10))),
  },
  {
    weight: 1,
    arbitrary: side.map(at =>
      command(`stall(${at})`, (pair, world) => {
        world.stalled = true
        transportOf(pair, at).pause()
      }),
    ),
  },
  { weight: 1, arbitrary: side.map(at => command(`flow(${at})`, pair => transportOf(pair, at).resume())) },
)
const drain = fc.tuple(side, fc.constantFrom(50, 100_000)).map(([at, graceMs]) =>
  command(`drain(${at}, ${graceMs})`, (pair, world) => {
    world.closed = true
    void pair.ends[at].session.drain(graceMs)
  }),
)
const cut = fc.constant(
  command('cut', (pair, world) => {
    world.closed = true
    pair.link.cut()
  }),
)
const close = side.map(at =>
  command(`close(${at})`, (pair, world) => {
    world.closed = true
    pair.ends[at].session.close('replaced')
  }),
)

const link = fc.record({
  seed: fc.nat(),
  faults: fc.record({
    wireCapacityBytes: fc.constantFrom(1, 10_000, 1 << 20),
    delayMs: fc.constantFrom<[number, number]>([0, 0], [0, 5], [20, 20]),
    scribble: fc.constant(true),
    cutAfterBytes: fc.oneof(
      { weight: 4, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 200_000 }) },
    ),
  }),
})

/** How sessions of well-behaved ends may end. */
const REASONS = ['going_away', 'replaced', 'session_lost', 'ping_timeout']
/** More than the owners of a run can write, and less. */
const AMPLE_BYTES = 2 ** 30
const TIGHT_BYTES = 20_000

describe('two sessions', () => {
  const run = (commands: fc.Arbitrary<Command>, numRuns: number, budgetBytes = AMPLE_BYTES) =>
    fc.assert(
      fc.asyncProperty(
        link,
        fc.commands([commands], { maxCommands: 80, size: 'max' }),
        async (options, steps) => {
          const world: World = { closed: false, stalled: false }
          const pair = new ModelledPair(options, budgetBytes)
          await pair.advance(50, 10)
          await fc.asyncModelRun(() => ({ model: world, real: pair }), steps)
          const tight = budgetBytes < AMPLE_BYTES
          const lossy = world.closed || tight || Number.isFinite(options.faults.cutAfterBytes)
          const finished = await finishPolitely(pair)
          expect(finished, 'all streams end').toBe(true)
          if (!lossy && !world.stalled) {
            // Without a fault of the link, all written bytes have arrived, except those of reset streams.
            for (const flow of pair.flows.flat()) {
              expect(flow.recorded.aborted === undefined || flow.peer?.reset === true).toBe(true)
            }
          }
          const closed = pair.dialer.session.drain(1000)
          await pair.advance(200, 20)
          await closed
          for (const { session, closes } of pair.ends) {
            expect([session.state, session.streamCount, closes.length]).toEqual(['closed', 0, 1])
            expect(tight ? [...REASONS, 'overloaded'] : REASONS).toContain(closes[0]!.reason)
          }
          expect(pair.flows.flat().flatMap(flow => flow.verifyOver())).toEqual([])
          expect(pair.clock.pendingTimers).toBe(0)
          for (const flow of pair.flows.flat()) flow.recorded.stream.release()
          expect(pair.ends.map(({ held }) => held.heldBytes)).toEqual([0, 0])
        },
      ),
      { seed: runSeed(), numRuns },
    )

  it('follow the rules during random actions of their owners', () => run(often, 120))

  it('follow the rules, and stay within budgets that are smaller than the written bytes', () =>
    run(often, 120, TIGHT_BYTES))

  it('follow the rules when the connection drains, closes or breaks at any point', () =>
    run(
      fc.oneof(
        { weight: 60, arbitrary: often },
        { weight: 1, arbitrary: drain },
        { weight: 1, arbitrary: close },
        { weight: 1, arbitrary: cut },
      ),
      120,
    ))
})

function transportOf(pair: ModelledPair, at: Side) {
  return at === 0 ? pair.link.a : pair.link.b
}
