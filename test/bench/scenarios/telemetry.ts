// The cost of telemetry: small GETs with metrics, the ring of failed requests and the access log, beside a replica without them. The
// replica without them runs twice, so that the difference stands beside the noise. All replicas run the sources, because no
// setting of a user turns the metrics off.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startBackend } from '../backends/start-backend.ts'
import { interleaved, type Measurement, type OwnScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { median, rounded } from '../figures/statistics.ts'
import { runLoad } from '../small-load.ts'
import type { Target } from '../target.ts'
import { startVeraWith } from '../targets/vera.ts'

const PROGRAM = join(import.meta.dirname, '../programs/plugboard-telemetry.ts')
const OFF = 'off'
const CASES = { [OFF]: ['--no-access-log'], 'off again': ['--no-access-log'], on: [] } as const
type CaseName = keyof typeof CASES

export async function measureTelemetry(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, folder, say } = context
  const backendPort = await startBackend('small', processes, folder)
  const targets = new Map<CaseName, Target>()
  for (const [name, args] of Object.entries(CASES) as [CaseName, readonly string[]][]) {
    const home = join(folder, name.replace(' ', '-'))
    await mkdir(home)
    const where = { processes, backendPort, folder: home, source: options.source }
    targets.set(name, await startVeraWith({ program: PROGRAM, args }, where))
  }
  const rows = await interleaved({ targets, say }, 'telemetry', options.rounds, async target => {
    const { port, host } = target
    const { seconds, connections } = options
    const load = () => runLoad(processes, { kind: 'load', port, host, seconds, connections })
    const { result, cpu } = await withCpuPer(target, load, ({ requests }) => requests)
    return { requestsPerSecond: result.requests / result.seconds, errors: result.errors, ...cpu }
  })
  return withCosts(rows)
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
