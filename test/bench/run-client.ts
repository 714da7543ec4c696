// Starts a client process of the bench and waits for its result.

import { join } from 'node:path'
import type { Child } from '../support/process/child.ts'
import type { Processes } from '../support/process/processes.ts'
import type { Job, ResultOf } from './clients/protocol.ts'

const SCRIPT = join(import.meta.dirname, 'clients/main.ts')
/** The time limit of a job, so that a job that hangs does not block the bench. */
const TIMEOUT_MS = 300_000

export async function startClient<J extends Job>(
  processes: Processes,
  job: J,
): Promise<{ child: Child; result: ResultOf<J> }> {
  const child = processes.node(job.kind, [SCRIPT, JSON.stringify(job)])
  child.expectedToExit = true
  const [, json] = await child.waitForLine(/^result (.*)$/, { timeoutMs: TIMEOUT_MS })
  return { child, result: JSON.parse(json ?? '') as ResultOf<J> }
}

export async function runClient<J extends Job>(processes: Processes, job: J): Promise<ResultOf<J>> {
  const { child, result } = await startClient(processes, job)
  await child.exited
  return result
}
