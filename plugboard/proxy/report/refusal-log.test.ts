import type { AccessFields } from '@vera-stack/shared/log.ts'
import { type Log, type LogFields, silentLogger } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { createProxyCounters, type ProxyCounters } from '../counters.ts'
import { accessLog } from './access-log.ts'
import { RefusalLog } from './refusal-log.ts'

const SUMMARY = 'further refused requests, not logged individually'

let clock: ManualClock
let lines: AccessFields[]
let summaries: LogFields[]
let counters: ProxyCounters
let refusals: RefusalLog

beforeEach(() => {
  clock = new ManualClock()
  lines = []
  summaries = []
  counters = createProxyCounters()
  const log: Log = {
    ...silentLogger,
    warn: (message, fields = {}) => {
      expect(message).toBe(SUMMARY)
      summaries.push(fields)
    },
  }
  const observers = [accessLog(line => lines.push(line), 1, 0)]
  refusals = new RefusalLog({ ids: new UuidV7(), observers, counters, clock, log })
})

function note(clientAddress: string, times = 1): void {
  for (let index = 0; index < times; index += 1)
    refusals.note({ proto: 'http', clientAddress, code: 'bad_request', detail: 'HPE_LF_EXPECTED' })
}

it('writes one line for each refusal, with an id of its own', () => {
  refusals.note({
    proto: 'http',
    clientAddress: '192.0.2.1',
    code: 'request_timeout',
    detail: 'late',
    requestId: 'given',
  })
  note('192.0.2.1')
  expect(lines).toMatchObject([
    { requestId: 'given', status: 408, code: 'request_timeout', detail: 'late', remoteAddress: '192.0.2.1' },
    { status: 400, code: 'bad_request', remoteAddress: '192.0.2.1' },
  ])
  expect(lines[1]!.requestId).toMatch(/^[0-9a-f-]{36}$/)
  clock.advance(10_000)
  expect(summaries).toEqual([])
})

it('summarises the repetitions of one client, and counts all of them', () => {
  note('192.0.2.1', 50)
  note('192.0.2.2')
  expect(lines).toHaveLength(11)
  expect(counters.problems.bad_request).toBe(51)
  clock.advance(10_000)
  expect(summaries).toEqual([{ remoteAddress: '192.0.2.1', code: 'bad_request', count: 40 }])
  note('192.0.2.1')
  expect(lines).toHaveLength(12)
  clock.advance(20_000)
  expect(summaries).toHaveLength(1)
})

it('counts the addresses of one IPv6 network as one client', () => {
  for (let index = 0; index < 30; index += 1) note(`2001:db8::${index}`)
  expect(lines).toHaveLength(10)
  clock.advance(10_000)
  expect(summaries).toEqual([{ remoteAddress: '2001:db8:0:0::/64', code: 'bad_request', count: 20 }])
})

it('writes few lines when very many clients attack at the same time', () => {
  for (let index = 0; index < 5000; index += 1) note(`10.${index >> 8}.${index & 255}.1`)
  expect(lines.length).toBeLessThanOrEqual(200)
  clock.advance(10_000)
  expect(summaries.length).toBeLessThanOrEqual(101)
  const summed = summaries.reduce((sum, { count = 0 }) => sum + count, 0)
  expect(lines.length + summed).toBe(5000)
  expect(summaries.at(-1)).toMatchObject({ remoteAddress: undefined, code: 'bad_request' })
})

it('reports the remaining counts when it is flushed', () => {
  note('192.0.2.1', 12)
  refusals.flush()
  expect(summaries).toEqual([{ remoteAddress: '192.0.2.1', code: 'bad_request', count: 2 }])
  clock.advance(60_000)
  expect(summaries).toHaveLength(1)
})
