// Measures the cost of processes with the accounting of the operating system: CPU time of all their threads, resident memory.
// Linux: /proc/<pid>/stat in ticks of 10 ms, so a measurement needs a second or more. Elsewhere: `ps`.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const HAS_PROC = existsSync('/proc/self/stat')
/** USER_HZ, fixed at 100 in Linux' interface to programs. */
const TICKS_PER_SECOND = 100
const SAMPLE_INTERVAL_MS = 50

/** Returns the CPU time that the processes have used so far, user and system, µs. */
export function cpuMicroseconds(pids: readonly number[]): number {
  let total = 0
  for (const pid of pids) total += HAS_PROC ? cpuFromProc(pid) : cpuFromPs(pid)
  return total
}

/** Returns the resident memory of the processes in bytes. Shared pages count for each process. */
export function residentBytes(pids: readonly number[]): number {
  let total = 0
  for (const pid of pids) total += HAS_PROC ? residentFromProc(pid) : Number(ps(pid, 'rss')) * 1024
  return total
}

/** Runs `task`. Resolves with its result and the largest resident memory of each role during it. */
export async function withPeakMemory<T>(
  roles: Record<string, () => readonly number[]>,
  task: () => Promise<T>,
): Promise<{ result: T; peakBytes: Record<string, number> }> {
  const peakBytes: Record<string, number> = {}
  const sample = () => {
    for (const [role, pids] of Object.entries(roles)) {
      peakBytes[role] = Math.max(peakBytes[role] ?? 0, residentBytes(pids()))
    }
  }
  sample()
  const timer = setInterval(sample, SAMPLE_INTERVAL_MS)
  try {
    return { result: await task(), peakBytes }
  } finally {
    clearInterval(timer)
    sample()
  }
}

function cpuFromProc(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // Fields 14 and 15 of proc(5). The name, field 2, may contain spaces and ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6
}

function residentFromProc(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0) * 1024
}

/** `ps` prints [[days-]hours:]minutes:seconds[.hundredths]. */
function cpuFromPs(pid: number): number {
  const [clock = '', days = '0'] = ps(pid, 'cputime').split('-').reverse()
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return (Number(days) * 86_400 + seconds) * 1e6
}

function ps(pid: number, column: string): string {
  return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim()
}
