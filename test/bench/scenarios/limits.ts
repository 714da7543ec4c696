// Rate limits: the CPU time of a check per limit, with one limit and five, with one key and a full table, and the memory of the
// table. Then the traffic between two replicas that share limits. Both are measured without requests, because a request costs a
// hundred times more.

import { interleaved, type Measurement, type OwnScenarioContext } from '../figures/measurement.ts'
import { runClient } from '../run-client.ts'

const SHAPES = [
  { limits: 1, keys: 1 },
  { limits: 5, keys: 5 },
  { limits: 1, keys: 200_000 },
  { limits: 5, keys: 200_000 },
]
const REQUESTS_PER_SECOND = 500_000

const HOT_KEYS = 10_000
/** Simulated intervals of 100 ms for each second of a round. */
const INTERVALS_PER_SECOND = 20

/** Measures the checks, then the exchange between two replicas. */
export async function measureLimits(context: OwnScenarioContext): Promise<Measurement[]> {
  return [...(await measureChecks(context)), ...(await measureShare(context))]
}

function measureShare({ processes, options, say }: OwnScenarioContext): Promise<Measurement[]> {
  const targets = new Map([[`${HOT_KEYS.toLocaleString('en-US')} hot keys`, HOT_KEYS]])
  return interleaved({ targets, say }, 'limits of two replicas', options.rounds, async keys => {
    const intervals = Math.ceil(INTERVALS_PER_SECOND * options.seconds)
    const result = await runClient(processes, { kind: 'limit-share', keys, intervals })
    const { bytesPerSecond, messagesPerSecond, cpuMsPerSecond, keys: received, rssBytes } = result
    const memory = { keys: received, rssMegabytes: rssBytes / 1e6 }
    return { megabytesPerSecond: bytesPerSecond / 1e6, messagesPerSecond, cpuMsPerSecond, ...memory }
  })
}

function measureChecks(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, say } = context
  const targets = new Map(
    SHAPES.map(shape => [`${shape.limits} of ${shape.keys.toLocaleString('en-US')} keys`, shape]),
  )
  return interleaved({ targets, say }, 'limits', options.rounds, async shape => {
    const requests = Math.ceil(REQUESTS_PER_SECOND * options.seconds)
    const job = { kind: 'limits', ...shape, requests } as const
    const { nsPerLimit, nsPerRequest, rejected, keys, rssBytes } = await runClient(processes, job)
    if (rejected > 0) throw new Error(`${rejected} requests were rejected; the bench measures admitted ones`)
    return { nsPerLimit, nsPerRequest, keys, rssMegabytes: rssBytes / 1e6 }
  })
}
