// Chooses a line for a request that is not sent, for operators. The choice is that of the line picker; afterwards the turns of the
// processes are as before, so that it changes no later choice.

import type { NoLine } from '../picker/no-line.ts'
import type { PickRequest } from '../picker/pick-request.ts'
import type { Candidate, LinePool } from '../pools/line-pool.ts'

/** `pick`: `LinePicker.pick`. `pool`: the pool of the request's service; undefined: it has none. */
export function dryPick(
  pick: (request: PickRequest) => Candidate | NoLine,
  pool: LinePool | undefined,
  request: PickRequest,
): Candidate | NoLine {
  if (pool === undefined) return pick(request)
  const { cursor, processes } = pool
  const turns = processes.map(process => ({ process, turn: process.turn, cursor: process.cursor }))
  try {
    // A changed policy of passive ejection takes effect with the next real request.
    return pick({ ...request, policy: { ...request.policy, outlier: pool.outlier } })
  } finally {
    pool.cursor = cursor
    for (const { process, ...before } of turns) Object.assign(process, before)
  }
}
