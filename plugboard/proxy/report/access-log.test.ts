// The choice of access lines with sampling, and the conversion of a report.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import { beforeEach, expect, it } from 'vitest'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { accessLog } from './access-log.ts'
import { type FinishedRequest, withoutAttempt } from './finished-request.ts'

let lines: AccessFields[]

beforeEach(() => {
  lines = []
})

const sink = (fields: AccessFields) => void lines.push(fields)

function finished(values: Partial<FinishedRequest> = {}): FinishedRequest {
  const facts = { requestId: 'r1', clientAddress: '192.0.2.1', proto: 'http', host: 'test', path: '/' }
  const request = { facts, method: 'GET', route: undefined, startedAtMs: 1000, bytesOut: 3 }
  return { ...withoutAttempt({ ...request, status: 200, code: undefined }), ...values }
}

it('writes each line without sampling, with a rounded duration', () => {
  const observe = accessLog(sink, 1, 0.5)
  observe(finished(), 1001.23456)
  observe(finished({ headMs: 1.00049, backendUs: 750, attempts: 2, peer: asReplicaId('p2') }), 1002)
  expect(lines).toMatchObject([
    { durationMs: 1.235, retries: undefined, peer: undefined },
    { durationMs: 2, headMs: 1, backendMs: 0.75, retries: 1, peer: 'p2' },
  ])
})

it('writes about the wanted part of the lines, each with the rate', () => {
  const observe = accessLog(sink, 0.1, 0.5)
  for (let count = 0; count < 10_000; count += 1) observe(finished(), 1001)
  expect(lines.length).toBeGreaterThan(850)
  expect(lines.length).toBeLessThan(1150)
  expect(new Set(lines.map(({ sampleRate }) => sampleRate))).toEqual(new Set([0.1]))
})

it('writes no ordinary line with a rate of 0', () => {
  const observe = accessLog(sink, 0, 0)
  for (let count = 0; count < 1000; count += 1) observe(finished(), 1001)
  expect(lines).toEqual([])
})

it('always writes the lines of failed, retried and slow requests, without a rate', () => {
  const observe = accessLog(sink, 0, 0.5)
  observe(finished({ status: 500 }), 1001)
  observe(finished({ status: 200, code: 'backend_closed' }), 1001)
  observe(finished({ status: 404, code: 'route_not_found' }), 1001)
  observe(finished({ attempts: 2 }), 1001)
  observe(finished(), 2000)
  expect(lines.map(({ status, sampleRate }) => [status, sampleRate])).toEqual([
    [500, undefined],
    [200, undefined],
    [404, undefined],
    [200, undefined],
    [200, undefined],
  ])
})

it('leaves out the cause of a failure that a later attempt has made good', () => {
  const failure = { cause: 'connection_reset', detail: 'x' }
  accessLog(sink, 1, 0)(finished({ failure, attempts: 2 }), 1001)
  accessLog(sink, 1, 0)(finished({ failure, status: 502, code: 'backend_closed' }), 1001)
  expect(lines.map(({ cause }) => cause)).toEqual([undefined, 'connection_reset'])
})
