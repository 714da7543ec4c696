// An exchange of the inspector, for tests.

import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'

export const SAMPLE_LINE: CapturedExchange['request'] = {
  at: '2026-12-01T12:00:00.000Z',
  replicaId: 'r1',
  requestId: 'q1',
  method: 'POST',
  host: 'a.test',
  path: '/',
  status: 200,
  durationMs: 1,
  bytesIn: 0,
  bytesOut: 0,
  remoteAddress: '192.0.2.1',
}

export const SAMPLE_RECEIVED: CapturedExchange['received'] = {
  method: 'POST',
  target: '/',
  fields: [],
  body: null,
  trailers: null,
}

/** Returns an exchange without a response. `more`: replaces its parts. */
export function sampleExchange(more: Partial<CapturedExchange> = {}): CapturedExchange {
  return {
    id: 'e1',
    open: false,
    replayOf: null,
    serviceId: 's1',
    scheme: 'http',
    request: SAMPLE_LINE,
    received: SAMPLE_RECEIVED,
    interim: [],
    sent: null,
    attempts: [],
    maskJson: [],
    ...more,
  }
}
