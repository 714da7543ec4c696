// Measures the trace of a request alone: the checks of a request that is not traced, and the spans of a traced one, without their
// export. A second loop without the checks is subtracted, so that the cost of this file does not count.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { LabelledCounts } from '@vera-stack/shared/metrics/labelled-counts.ts'
import { openTelemetry } from '@vera-stack/shared/trace/open-telemetry.ts'
import { setTraceFields } from '@vera-stack/shared/trace/trace-fields.ts'
import { RequestTracing, type TraceFields } from '../../../plugboard/proxy/trace/request-tracing.ts'
import type { Candidate } from '../../../plugboard/telephones/pools/line-pool.ts'
import type { TracesJob, TracesResult } from './protocol.ts'

/** The two loops run in turn, in this number of parts. */
const PARTS = 10
const FIELDS = ['Host', 'app.test', 'Accept', '*/*', 'User-Agent', 'bench']
const LINE = {
  line: { telephone: 'bench', service: 'app', replicaId: 'a' },
  local: true,
  process: {},
} as unknown as Candidate

export async function measureTraces({ sample, requests }: TracesJob): Promise<TracesResult> {
  // No program listens there. The queue is full soon, and drops further spans.
  const receiver = { url: new URL('http://127.0.0.1:9/v1/traces'), headers: {} }
  const resource = { name: 'plugboard', version: '1', instanceId: 'a' }
  const counts = new LabelledCounts()
  const tracing = openTelemetry({ receiver, resource, counts, clock: systemClock, log: silentLogger })
  const share = sample === null ? undefined : new RequestTracing({ tracing, sample, clock: systemClock })
  // Compiles the code before the measured run.
  run(share, Math.min(requests, 100_000))
  const nsPerRequest = run(share, requests)
  await tracing.stop()
  return { nsPerRequest }
}

function run(share: RequestTracing | undefined, requests: number): number {
  let fields: string[] = []
  const request: TraceFields = {
    traceParent: '',
    traceState: '',
    setTrace: (parent, state) => setTraceFields(fields, parent, state),
  }
  let at = 0
  const loop = (checks: boolean): number => {
    const before = process.cpuUsage()
    for (let count = 0; count < requests / PARTS; count += 1) {
      fields = [...FIELDS]
      if (checks) trace(share, request, fields)
      at += fields.length
    }
    const { user, system } = process.cpuUsage(before)
    return ((user + system) * 1000 * PARTS) / requests
  }
  // The lowest part has the least disturbance by other processes.
  let empty = Number.POSITIVE_INFINITY
  let checked = Number.POSITIVE_INFINITY
  for (let part = 0; part < PARTS; part += 1) {
    empty = Math.min(empty, loop(false))
    checked = Math.min(checked, loop(true))
  }
  if (at === 0) throw new Error('the loops did nothing')
  return checked - empty
}

/** The calls of one request, in the order of the proxy. */
function trace(share: RequestTracing | undefined, request: TraceFields, fields: string[]): void {
  const traced = share?.begin(request, 'GET', false)
  traced?.beginAttempt(fields, 'GET')
  traced?.attemptSent(LINE, 'GET')
  traced?.responded(200)
  traced?.end(undefined, systemClock.now())
}
