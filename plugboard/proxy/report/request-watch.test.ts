// The requests that are kept, and those that reach the live log.

import { beforeEach, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { createObservation, type Observation } from '../../observe/observation.ts'
import { type FinishedRequest, type RequestObserver, withoutAttempt } from './finished-request.ts'
import { watchRequests } from './request-watch.ts'

const SNAPSHOT = { total: 1, serving: 0, items: [] }

let observation: Observation
let observe: RequestObserver

beforeEach(() => {
  observation = createObservation('r1', new ManualClock())
  observe = watchRequests({ replicaId: 'r1', observation, linesOf: () => SNAPSHOT, wallTime: () => 0 })
})

function finished(requestId: string, values: Partial<FinishedRequest> = {}): FinishedRequest {
  const facts = { requestId, clientAddress: '192.0.2.1', host: 'test', path: '/', proto: 'http' }
  const request = { facts, method: 'GET', route: undefined, startedAtMs: 1000, bytesOut: 3 }
  return { ...withoutAttempt({ ...request, status: 200, code: undefined }), ...values }
}

const kept = () => observation.failures.newest(() => true, 100)

it('keeps failures, refusals, early ends of clients and slow responses, and no healthy request', () => {
  observe(finished('healthy', { headMs: 999 }), 1001)
  observe(finished('missing', { status: 404 }), 1001)
  observe(finished('long download', { headMs: 5 }), 60_000)
  observe(finished('websocket', { status: 101, headMs: 5 }), 60_000)
  observe(finished('5xx', { status: 503 }), 1001)
  observe(finished('cut', { code: 'backend_closed' }), 1001)
  observe(finished('refused', { status: 404, code: 'route_not_found' }), 1001)
  observe(finished('aborted', { status: 499 }), 1001)
  observe(finished('slow', { headMs: 1000 }), 2001)
  expect(new Set(kept().map(({ request }) => request.requestId))).toEqual(
    new Set(['5xx', 'cut', 'refused', 'aborted', 'slow']),
  )
})

it('keeps the failed attempts and the lines of the service', () => {
  const attempt = {
    telephone: 't1',
    replicaId: asReplicaId('r2'),
    code: 'backend_closed',
    failure: { cause: 'connection_reset', detail: 'Bearer abcdefgh12345\u202e' },
    atMs: 1030.5,
  }
  const route = harnessRoute({ host: 'test' })
  observe(finished('a', { status: 502, code: 'backend_closed', route, failedAttempts: [attempt] }), 1040)
  expect(kept()).toMatchObject([
    {
      request: { requestId: 'a', service: 'web', replicaId: 'r1', durationMs: 40 },
      attempts: [
        {
          telephone: 't1',
          replicaId: 'r2',
          code: 'backend_closed',
          cause: 'connection_reset',
          detail: 'Bearer ***?',
          afterMs: 30.5,
        },
      ],
      lines: SNAPSHOT,
    },
  ])
})

it('bounds the texts and the attempts of an entry, and redacts secrets', () => {
  const facts = {
    requestId: 'a',
    clientAddress: '',
    proto: 'http',
    host: 'test',
    path: `/eyJhbGciOi.eyJzdWIi.c2ln/${'x'.repeat(5000)}`,
  }
  const attempt = { telephone: 't', replicaId: asReplicaId('r1'), code: '503', failure: undefined, atMs: 0 }
  const failedAttempts = Array.from({ length: 500 }, () => attempt)
  const failure = { cause: undefined, detail: 'y'.repeat(5000) }
  observe(finished('a', { facts, failedAttempts, failure, status: 502, code: 'backend_closed' }), 1001)
  const [entry] = kept()
  expect(JSON.stringify(entry).length).toBeLessThan(4000)
  expect(entry?.request.path).toMatch(/^\/\*\*\*\/x+…$/)
})

it('sends healthy requests to the live log only while a viewer exists', () => {
  const lines: string[] = []
  const viewer = {
    item: (text: string) => void lines.push(text),
    dropped: () => undefined,
    replicasChanged: () => undefined,
  }
  observe(finished('before'), 1001)
  const watch = observation.hub.watch('requests', {}, viewer)
  observe(finished('during'), 1001)
  watch.close()
  observe(finished('after'), 1001)
  expect(lines.map(text => (JSON.parse(text) as { requestId: string }).requestId)).toEqual(['during'])
  expect(kept()).toEqual([])
})
