import { describe, expect, it } from 'vitest'
import { alive, collectGarbage } from '../../test/support/garbage.ts'
import { type ScheduledSender, SendScheduler } from './send-scheduler.ts'

/** A stream with so many slices to send; it writes its name into `log` at each turn. */
function taker(name: string, slices: number, log: string[]) {
  const stream = {
    open: true,
    inTurn: false,
    left: slices,
    takeTurn() {
      log.push(name)
      stream.left -= 1
      return stream.left > 0
    },
  }
  return stream satisfies ScheduledSender
}

const unreachable = (error: unknown) => {
  throw error
}

describe('SendScheduler', () => {
  it('gives each stream one slice in turn until it has no more', () => {
    const log: string[] = []
    let congested = true
    const turns = new SendScheduler(() => congested, unreachable)
    for (const [name, slices] of [
      ['a', 3],
      ['b', 1],
      ['c', 2],
    ] as const) {
      turns.ask(taker(name, slices, log))
    }
    expect([log, turns.queued]).toEqual([[], true])
    congested = false
    turns.pump()
    expect([log.join(' '), turns.queued]).toEqual(['a b c a c a', false])
  })

  it('stops when there is no room, and continues with the next stream', () => {
    const log: string[] = []
    let room = 0
    const turns = new SendScheduler(() => log.length >= room, unreachable)
    for (const name of ['a', 'b', 'c']) turns.ask(taker(name, 10, log))
    for (room = 2; room <= 8; room += 2) turns.pump()
    expect(log.join(' ')).toBe('a b c a b c a b')
  })

  it('a stream that asks twice has one turn', () => {
    const log: string[] = []
    let congested = true
    const turns = new SendScheduler(() => congested, unreachable)
    const stream = taker('a', 1, log)
    turns.ask(stream)
    turns.ask(stream)
    congested = false
    turns.pump()
    expect(log).toEqual(['a'])
  })

  it('reports an error that an owner throws, and continues at the next turn', () => {
    const thrown: unknown[] = []
    const log: string[] = []
    let congested = true
    const turns = new SendScheduler(
      () => congested,
      error => thrown.push(error),
    )
    const fault = new Error('an owner fails')
    turns.ask({
      open: true,
      inTurn: false,
      takeTurn: () => {
        throw fault
      },
    })
    turns.ask(taker('good', 1, log))
    congested = false
    turns.pump()
    turns.pump()
    expect([thrown, log]).toEqual([[fault], ['good']])
  })

  it('keeps no closed stream alive while there is no room', async () => {
    const log: string[] = []
    const turns = new SendScheduler(() => true, unreachable)
    turns.ask(taker('stays', 1, log))
    const closed = Array.from({ length: 100 }, () => {
      const stream = taker('closed', 1, log)
      turns.ask(stream)
      turns.forget(stream)
      turns.forget(stream)
      return new WeakRef(stream)
    })
    await collectGarbage()
    expect([alive(closed), turns.queued]).toEqual([0, true])
  })
})
