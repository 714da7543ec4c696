// The balancing policies beside each other: ten Telephones, of which one has a backend that is ten times slower, and requests
// that arrive at random times. The policies take turns on the same processes.

import { join } from 'node:path'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import { TelephoneProcess } from '../../support/programs/telephone-process.ts'
import { interleaved, type Measurement, type OwnScenarioContext } from '../figures/measurement.ts'
import { median, rounded } from '../figures/statistics.ts'
import { programOf } from '../program.ts'
import { runClient } from '../run-client.ts'

const HOST = 'balance.localhost'
const SERVICE = 'balance'
const TELEPHONES = 10
const MEAN_MS = 10
const SLOW_MEAN_MS = 100
const POLICIES = ['round_robin', 'least_streams', 'peak_ewma'] as const
const RATES = [100, 500] as const
/** A round is longer than in other scenarios, because the p99 of 100 requests per second needs many seconds. */
const LENGTH = 5
/** The requests of this time do not count, so that a policy does not begin with the state of the one before. */
const WARM_UP_SECONDS = 2

export async function measureBalance(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, say } = context
  const plugboard = await startPool(context)
  const measured: Measurement[] = []
  for (const perSecond of RATES) {
    const name = `one slow of ${TELEPHONES}, ${perSecond}/s`
    let seed = 0
    const rows = await interleaved(
      { targets: new Map(POLICIES.map(policy => [policy, policy])), say },
      name,
      options.rounds,
      async balancing => {
        await plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy: { balancing } })
        seed += 1
        const { port } = plugboard
        const times = {
          seconds: options.seconds * LENGTH,
          warmUpSeconds: Math.min(WARM_UP_SECONDS, options.seconds),
        }
        const job = { kind: 'arrivals', port, host: HOST, perSecond, backends: TELEPHONES, seed } as const
        const { requests, errors, byBackend, latencyMs } = await runClient(processes, { ...job, ...times })
        const slowPercent = ((byBackend[0] ?? 0) / requests) * 100
        return { p50Ms: latencyMs.p50, p99Ms: latencyMs.p99, slowPercent, requests, errors }
      },
    )
    measured.push(...withRatios(rows))
  }
  return measured
}

async function startPool({ processes, options, folder }: OwnScenarioContext): Promise<PlugboardProcess> {
  const waits = Array.from({ length: TELEPHONES }, (_, index) => (index === 0 ? SLOW_MEAN_MS : MEAN_MS))
  const script = join(import.meta.dirname, '../backends/waiting-backend.ts')
  const backends = processes.node('backends', [script, ...waits.map(String)])
  const [, ports = ''] = await backends.waitForLine(/^listening on ([\d,]+)$/)
  const program = (name: 'plugboard' | 'telephone') => programOf(name, options.source)
  const plugboard = await PlugboardProcess.start({
    processes,
    folder,
    args: ['--no-access-log'],
    ...program('plugboard'),
  })
  await plugboard.addService(SERVICE)
  await plugboard.addRoute(HOST, SERVICE)
  const { token } = await plugboard.issueToken({ services: [SERVICE] })
  for (const target of ports.split(',')) {
    TelephoneProcess.launch({
      processes,
      plugboard,
      token,
      service: SERVICE,
      target,
      ...program('telephone'),
    })
  }
  await eventually('all Telephones are connected', async () => {
    const rows = (await plugboard.telephones()) as { instance: string; services: unknown[] }[]
    const ready = rows.filter(({ services }) => services.length > 0)
    return new Set(ready.map(({ instance }) => instance)).size === TELEPHONES ? true : undefined
  })
  await eventually('the route works', async () =>
    (await send({ port: plugboard.port, host: HOST })).status === 200 ? true : undefined,
  )
  return plugboard
}

/** Adds the p99 of each policy as a ratio to those of the other two: the median of the ratios within each round. */
function withRatios(rows: readonly Measurement[]): Measurement[] {
  const ratio = (row: Measurement, to: string) => {
    const others = rows.find(({ target }) => target === to)?.rounds ?? []
    return rounded(median(row.rounds.map(({ p99Ms }, round) => p99Ms! / others[round]!.p99Ms!)))
  }
  return rows.map(row => ({
    ...row,
    values: {
      ...row.values,
      p99ToRoundRobin: ratio(row, 'round_robin'),
      p99ToLeastStreams: ratio(row, 'least_streams'),
    },
  }))
}
