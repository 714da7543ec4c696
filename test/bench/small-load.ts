// The load of small requests: wrk when it is installed, else a client process of ours. Both keep one request open on each
// connection.

import { findProgram } from '../support/process/find-program.ts'
import type { Processes } from '../support/process/processes.ts'
import type { LoadJob, LoadResult } from './clients/protocol.ts'
import { runClient } from './run-client.ts'

export const loadGenerator = () => (findProgram('wrk') ? 'wrk' : 'node')

export async function runLoad(processes: Processes, job: LoadJob): Promise<LoadResult> {
  const wrk = findProgram('wrk')
  // wrk accepts whole seconds only.
  if (!wrk || job.seconds < 1) return runClient(processes, job)
  const seconds = Math.round(job.seconds)
  const child = processes.start({
    name: 'wrk',
    command: wrk,
    args: [
      '-t1',
      `-c${job.connections}`,
      `-d${seconds}s`,
      '--latency',
      '-H',
      `Host: ${job.host}`,
      `http://127.0.0.1:${job.port}/`,
    ],
  })
  child.expectedToExit = true
  const exit = await child.exited
  if (exit.code !== 0) throw new Error(`wrk ended with ${exit.code}\n${child.output}`)
  return readReport(child.output)
}

/** Returns the numbers in the output of wrk. */
export function readReport(text: string): LoadResult {
  const [, requests, duration, unit] = text.match(/(\d+) requests in ([\d.]+)(us|ms|s|m)\b/) ?? []
  if (requests === undefined) throw new Error(`not a report of wrk:\n${text}`)
  const socketErrors = text.match(/Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/)
  const badStatus = Number(text.match(/Non-2xx or 3xx responses: (\d+)/)?.[1] ?? 0)
  return {
    requests: Number(requests) - badStatus,
    errors: badStatus + (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
    seconds: milliseconds(duration, unit) / 1000,
    latencyMs: { p50: latency(text, 50), p99: latency(text, 99) },
  }
}

function latency(text: string, percent: number): number {
  const [, value, unit] = text.match(new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)\\b`)) ?? []
  return milliseconds(value, unit)
}

function milliseconds(value: string | undefined, unit: string | undefined): number {
  const factors: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }
  return Number(value) * (factors[unit ?? ''] ?? Number.NaN)
}
