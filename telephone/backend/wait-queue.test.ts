import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { DEFAULT_WAIT_LIMITS, WaitQueue } from './wait-queue.ts'

class Request {
  readonly client: string
  refused: string | undefined

  constructor(client: string) {
    this.client = client
  }

  onNoConnection(error: TunnelError): void {
    this.refused = error.reason
  }
}

let clock: ManualClock
let full: Set<string>

beforeEach(() => {
  clock = new ManualClock()
  full = new Set()
})

function queueOf(limits: Partial<typeof DEFAULT_WAIT_LIMITS> = {}): WaitQueue<Request> {
  return new WaitQueue(clock, { ...DEFAULT_WAIT_LIMITS, ...limits }, client => !full.has(client))
}

function add(queue: WaitQueue<Request>, ...clients: string[]): Request[] {
  return clients.map(client => {
    const request = new Request(client)
    queue.add(request)
    return request
  })
}

describe('turns', () => {
  it('alternate between clients, and follow the order of requests of one client', () => {
    const queue = queueOf()
    const [a1, a2, a3, b1, c1, b2] = add(queue, 'a', 'a', 'a', 'b', 'c', 'b')
    const order = Array.from({ length: 6 }, () => queue.next())
    expect(order).toEqual([a1, b1, c1, a2, b2, a3])
    expect([queue.next(), queue.size]).toEqual([undefined, 0])
  })

  it('skip a client that holds its share, until it has room', () => {
    const queue = queueOf()
    const [a1, a2, b1] = add(queue, 'a', 'a', 'b')
    full.add('a')
    expect([queue.hasTurn, queue.next(), queue.hasTurn, queue.next()]).toEqual([true, b1, false, undefined])
    full.delete('a')
    expect([queue.hasTurn, queue.next(), queue.next()]).toEqual([true, a1, a2])
  })

  it('skip requests that were removed', () => {
    const queue = queueOf()
    const [a1, b1] = add(queue, 'a', 'b')
    expect([queue.remove(a1 as Request), queue.remove(a1 as Request)]).toEqual([true, false])
    expect([queue.next(), queue.next()]).toEqual([b1, undefined])
  })
})

describe('places', () => {
  it('are limited for all, and for each client to its share', () => {
    const queue = queueOf({ maxWaiting: 4 })
    const [, , , a4] = add(queue, 'a', 'a', 'a', 'a')
    expect([a4?.refused, queue.size]).toEqual(['client_share', 3])
    const [b1, b2] = add(queue, 'b', 'b')
    expect([b1?.refused, b2?.refused]).toEqual([undefined, 'overloaded'])
  })

  it('have no share for unknown clients', () => {
    const queue = queueOf({ maxWaiting: 4 })
    expect(add(queue, '', '', '', '').map(({ refused }) => refused)).toEqual(Array(4).fill(undefined))
  })
})

describe('a wait', () => {
  it('ends after its time, with the reason of the client', () => {
    const queue = queueOf({ maxWaitMs: 1000 })
    const [a1, b1] = add(queue, 'a', 'b')
    clock.advance(500)
    const [b2] = add(queue, 'b')
    full.add('a')
    clock.advance(499)
    expect([a1?.refused, b1?.refused]).toEqual([undefined, undefined])
    clock.advance(1)
    expect([a1?.refused, b1?.refused, b2?.refused]).toEqual(['client_share', 'overloaded', undefined])
    clock.advance(500)
    expect([b2?.refused, queue.size]).toEqual(['overloaded', 0])
    expect(clock.pendingTimers).toBe(0)
  })

  it('starts again when it is renewed, and keeps its place', () => {
    const queue = queueOf({ maxWaitMs: 1000 })
    const [a1, a2] = add(queue, 'a', 'a')
    clock.advance(900)
    queue.renew(a1 as Request)
    clock.advance(100)
    expect([a1?.refused, a2?.refused]).toEqual([undefined, 'overloaded'])
    const [a3] = add(queue, 'a')
    expect([queue.next(), queue.next()]).toEqual([a1, a3])
  })

  it('ends for all when the queue is closed', () => {
    const queue = queueOf()
    const requests = add(queue, 'a', 'b')
    queue.refuseAll({ reason: 'draining' } as TunnelError)
    expect(requests.map(({ refused }) => refused)).toEqual(['draining', 'draining'])
    expect([queue.size, queue.next(), queue.hasTurn]).toEqual([0, undefined, false])
  })
})
