// Rate limits: the CPU time of a check per limit, with one limit and five, with one key and a full table, and the memory of the
// table. It measures the limiter in a process of its own, without requests, because a request costs a hundred times more.

import { interleaved, type Measurement, type OwnScenarioContext } from '../figures/measurement.ts'
import { runClient } from '../run-client.ts'

const SHAPES = [
  { limits: 1, keys: 1 },
  { limits: 5, keys: 5 },
  { limits: 1, keys: 200_000 },
  { limits: 5, keys: 200_000 },
]
const REQUESTS_PER_SECOND = 500_000

export function measureLimitChecks(context: OwnScenarioContext): Promise<Measurement[]> {
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
