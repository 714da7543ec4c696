// A failed request as a replica keeps it, for tests of the list and of the ring.

import type { FailedRequest } from '../../../plugboard/observe/requests/failed-request.ts'

/** Returns a request that ended `second` seconds after 1970, without attempts. `values`: other fields of the request. */
export function sampleFailure(
  requestId: string,
  second: number,
  values: Partial<FailedRequest['request']> = {},
): FailedRequest {
  return {
    request: {
      at: new Date(second * 1000).toISOString(),
      replicaId: 'r1',
      requestId,
      method: 'GET',
      host: 'a.test',
      path: '/x',
      status: 502,
      durationMs: 1,
      bytesIn: 0,
      bytesOut: 0,
      remoteAddress: '192.0.2.1',
      ...values,
    },
    attempts: [],
    lines: null,
  }
}
