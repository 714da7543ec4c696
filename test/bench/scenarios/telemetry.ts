// The cost of telemetry: small GETs with metrics, the ring of failed requests and the access log, or with traces, beside a replica
// without them. The replica without them runs twice, so that the difference stands beside the noise. Then the trace of a request alone. All replicas run the sources, because no
// setting of a user turns the metrics off.

import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { startBackend } from '../backends/start-backend.ts'
import { interleaved, type Measurement, type OwnScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { median, rounded } from '../figures/statistics.ts'
import { runClient } from '../run-client.ts'
import { runLoad } from '../small-load.ts'
import type { Target } from '../target.ts'
import { startVeraWith } from '../targets/vera.ts'

const PROGRAM = join(import.meta.dirname, '../programs/plugboard-telemetry.ts')
const OFF = 'off'
const CASES = {
  [OFF]: ['--no-access-log'],
  'off again': ['--no-access-log'],
  on: [],
  '1 % traced': ['--no-access-log', '--trace-sample', '0.01'],
  'all traced': ['--no-access-log', '--trace-sample', '1'],
} as const
/** The trace of a request alone: the part of the requests to trace; null: traces are off. */
const SHARES = { 'traces off': null, 'not traced': 0, traced: 1 } as const
const REQUESTS_PER_SECOND = 200_000
type CaseName = keyof typeof CASES

export async function measureTelemetry(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, folder, say } = context
  const backendPort = await startBackend('small', processes, folder)
  const receiver = await startReceiver()
  const targets = new Map<CaseName, Target>()
  for (const [name, args] of Object.entries(CASES) as [CaseName, readonly string[]][]) {
    const home = join(folder, name.replace(' ', '-'))
    await mkdir(home)
    const where = { processes, backendPort, folder: home, source: options.source }
    const variant = { program: PROGRAM, args: [...args, '--otlp-traces-endpoint', receiver.endpoint] }
    targets.set(name, await startVeraWith(variant, where))
  }
  const rows = await interleaved({ targets, say }, 'telemetry', options.rounds, async target => {
    const { port, host } = target
    const { seconds, connections } = options
    const load = () => runLoad(processes, { kind: 'load', port, host, seconds, connections })
    const { result, cpu } = await withCpuPer(target, load, ({ requests }) => requests)
    return { requestsPerSecond: result.requests / result.seconds, errors: result.errors, ...cpu }
  })
  receiver.stop()
  return [...withCosts(rows), ...(await measureSpans(context))]
}

/** Starts a receiver of traces that reads and accepts each request. Its CPU time counts for no replica. */
async function startReceiver(): Promise<{ readonly endpoint: string; stop(): void }> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function measureSpans({ processes, options, say }: OwnScenarioContext): Promise<Measurement[]> {
  const targets = new Map(Object.entries(SHARES))
  return interleaved({ targets, say }, 'trace of a request', options.rounds, async sample => {
    const requests = Math.ceil(REQUESTS_PER_SECOND * options.seconds)
    return { ...(await runClient(processes, { kind: 'traces', sample, requests })) }
  })
}

/** Adds the cost of each case in Plugboard beside `off`: the median of the differences within each round. */
function withCosts(rows: readonly Measurement[]): Measurement[] {
  const name = 'cpuUs.plugboard'
  const base = rows.find(({ target }) => target === OFF)?.rounds ?? []
  return rows.map(row => {
    const added = row.rounds.map((values, round) => values[name]! - base[round]![name]!)
    const percent = added.map((cost, round) => (cost / base[round]![name]!) * 100)
    const costs = { addedUs: rounded(median(added)), addedPercent: rounded(median(percent)) }
    return { ...row, values: { ...row.values, ...costs } }
  })
}
