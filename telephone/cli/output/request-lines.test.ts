import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ExchangeSummary } from '../../events.ts'
import { RequestLines } from './request-lines.ts'

let lines: string[]
let clock: ManualClock
beforeEach(() => {
  lines = []
  clock = new ManualClock()
})

function requests(options: { maxPerSecond?: number; colours?: boolean } = {}): RequestLines {
  return new RequestLines({
    out: line => lines.push(line),
    colours: false,
    clock,
    maxPerSecond: 20,
    ...options,
  })
}

const exchange = (changes: Partial<ExchangeSummary> = {}): ExchangeSummary => ({
  service: 'web',
  method: 'GET',
  path: '/a',
  requestId: undefined,
  streamId: 1,
  status: 200,
  code: undefined,
  failure: undefined,
  durationMs: 1.6,
  ...changes,
})
const failure = {
  cause: 'connection_refused',
  detail: 'Backend http://localhost:3000 refused the connection (ECONNREFUSED).',
  remedy: 'Start the backend, or correct the target.',
} as const

describe('the line of a request', () => {
  it('has method, path, status and duration, without control characters', () => {
    requests().show(exchange({ path: '/a\x1b[2J' }))
    expect(lines).toEqual(['  GET /a?[2J 200 2 ms'])
  })

  it('has the code and the cause of a failure', () => {
    const all = requests()
    all.show(exchange({ status: 0, code: 'backend_unreachable', failure, durationMs: 1 }))
    all.show(exchange({ status: 200, code: 'backend_closed', durationMs: 7 }))
    expect(lines).toEqual([
      '  GET /a backend_unreachable (connection_refused) 1 ms',
      '  GET /a 200 backend_closed 7 ms',
    ])
  })

  it('has a colour for the result of the request, if colours are on', () => {
    const all = requests({ colours: true })
    for (const status of [204, 404, 503]) all.show(exchange({ status }))
    expect(lines).toEqual([
      '  GET /a \x1b[32m204\x1b[39m 2 ms',
      '  GET /a \x1b[33m404\x1b[39m 2 ms',
      '  GET /a \x1b[31m503\x1b[39m 2 ms',
    ])
  })
})

describe('many requests in one second', () => {
  it('are counted above the limit, and the next second has lines again', () => {
    const all = requests({ maxPerSecond: 2 })
    for (let index = 0; index < 5; index += 1) all.show(exchange({ path: `/${index}` }))
    all.show(exchange({ status: 0, code: 'backend_timeout' }))
    expect(lines).toEqual(['  GET /0 200 2 ms', '  GET /1 200 2 ms'])
    clock.advance(1000)
    expect(lines[2]).toBe('  … 4 more requests, 1 of them failed')
    all.show(exchange())
    expect(lines[3]).toBe('  GET /a 200 2 ms')
    clock.advance(1000)
    expect([lines.length, clock.pendingTimers]).toEqual([4, 0])
  })

  it('have their count at the end of the program too', () => {
    const all = requests({ maxPerSecond: 1 })
    for (let index = 0; index < 2; index += 1) all.show(exchange())
    all.flush()
    expect([lines.at(-1), clock.pendingTimers]).toEqual(['  … 1 more request', 0])
  })

  it('each have a line without a limit', () => {
    const all = requests({ maxPerSecond: Number.POSITIVE_INFINITY })
    for (let index = 0; index < 50; index += 1) all.show(exchange())
    expect(lines).toHaveLength(50)
  })
})
