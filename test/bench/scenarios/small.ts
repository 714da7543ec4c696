// Small GETs: requests per second, latency, and the CPU time that each process between client and backend uses for one.

import { interleaved, type Measurement, type ScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { runLoad } from '../small-load.ts'

export function measureSmallRequests(context: ScenarioContext): Promise<Measurement[]> {
  const { options, processes } = context
  return interleaved(context, 'small GET', options.rounds, async target => {
    const { port, host } = target
    const { seconds, connections } = options
    const load = () => runLoad(processes, { kind: 'load', port, host, seconds, connections })
    const { result, cpu } = await withCpuPer(target, load, ({ requests }) => requests)
    return {
      requestsPerSecond: result.requests / result.seconds,
      p50Ms: result.latencyMs.p50,
      p99Ms: result.latencyMs.p99,
      errors: result.errors,
      ...cpu,
    }
  })
}
