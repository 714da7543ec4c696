// One large download and one large upload: speed, CPU per megabyte, and the peak memory of each process between client and
// backend. Then the same while another client has started an equal download and stopped reading.

import { withPeakMemory } from '../figures/cost.ts'
import {
  interleaved,
  type Measurement,
  type ScenarioContext,
  type Values,
  withCpuPer,
} from '../figures/measurement.ts'
import { runClient, startClient } from '../run-client.ts'
import type { Target } from '../target.ts'

const MEGABYTE = 1e6

export async function measureBulk(context: ScenarioContext): Promise<Measurement[]> {
  const rounds = Math.min(context.options.rounds, 3)
  const measured: Measurement[] = []
  for (const kind of ['download', 'upload'] as const) {
    const transfer = (target: Target) => transferOnce(context, target, kind)
    measured.push(...(await interleaved(context, kind, rounds, transfer)))
    const besideStalled = async (target: Target) => {
      const { port, host } = target
      const bytes = context.options.bulkBytes
      const stalled = await startClient(context.processes, { kind: 'stall', port, host, bytes })
      try {
        return await transferOnce(context, target, kind)
      } finally {
        await stalled.child.stop()
      }
    }
    measured.push(...(await interleaved(context, `${kind} beside a stalled reader`, rounds, besideStalled)))
  }
  return measured
}

async function transferOnce(
  { processes, options }: ScenarioContext,
  target: Target,
  kind: 'download' | 'upload',
): Promise<Values> {
  const { port, host, roles } = target
  const transfer = () =>
    withPeakMemory(roles, () => runClient(processes, { kind, port, host, bytes: options.bulkBytes }))
  const megabytes = options.bulkBytes / MEGABYTE
  const {
    result: { result, peakBytes },
    cpu,
  } = await withCpuPer(target, transfer, () => megabytes)
  const memory = Object.entries(peakBytes).map(([role, bytes]) => [`peakMB.${role}`, bytes / MEGABYTE])
  return {
    megabytesPerSecond: result.bytes / MEGABYTE / result.seconds,
    ...Object.fromEntries(memory),
    ...cpu,
  }
}
