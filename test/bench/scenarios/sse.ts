// Many event streams at once: the delay of each event, and the cost of one event.

import { interleaved, type Measurement, type ScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { runClient } from '../run-client.ts'

const STREAMS = 100
const INTERVAL_MS = 100

export function measureEventStreams(context: ScenarioContext): Promise<Measurement[]> {
  const { options, processes } = context
  return interleaved(context, `${STREAMS} SSE streams`, options.rounds, async target => {
    const { port, host } = target
    const job = {
      kind: 'sse',
      port,
      host,
      streams: STREAMS,
      seconds: options.seconds,
      intervalMs: INTERVAL_MS,
    } as const
    const { result, cpu } = await withCpuPer(
      target,
      () => runClient(processes, job),
      ({ events }) => events,
    )
    return {
      events: result.events,
      lostEvents: result.expected - result.events,
      p50Ms: result.latencyMs.p50,
      p99Ms: result.latencyMs.p99,
      maxMs: result.latencyMs.max,
      ...cpu,
    }
  })
}
