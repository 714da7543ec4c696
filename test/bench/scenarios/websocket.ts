// WebSocket echo: many small messages, and a few of 16 MiB.

import { interleaved, type Measurement, type ScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { runClient } from '../run-client.ts'

const SHAPES = [
  { name: 'WebSocket echo, 1 KiB', sockets: 16, messageBytes: 1024 },
  { name: 'WebSocket echo, 16 MiB', sockets: 1, messageBytes: 16 * 1_048_576 },
]

export async function measureWebSockets(context: ScenarioContext): Promise<Measurement[]> {
  const { options, processes } = context
  const measured: Measurement[] = []
  for (const { name, sockets, messageBytes } of SHAPES) {
    const rows = await interleaved(context, name, options.rounds, async target => {
      const { port, host } = target
      const job = { kind: 'websocket', port, host, sockets, messageBytes, seconds: options.seconds } as const
      const echo = () => runClient(processes, job)
      const { result, cpu } = await withCpuPer(target, echo, ({ messages }) => messages)
      return {
        messagesPerSecond: result.messages / result.seconds,
        // Each message passes twice: once in each direction.
        megabytesPerSecond: (2 * result.messages * messageBytes) / 1e6 / result.seconds,
        ...cpu,
      }
    })
    measured.push(...rows)
  }
  return measured
}
