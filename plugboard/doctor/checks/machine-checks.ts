// The checks of the machine: the disk of the data folder, and the delay of the event loop.

import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { errorCodeOf } from '../../common/startup-error.ts'
import { type Finding, failed, ok, warning } from '../finding.ts'

const MIB = 1024 * 1024
const FULL_BYTES = 100 * MIB
const LOW_BYTES = 1024 * MIB
const LOW_SHARE = 0.05
const MAX_DELAY_MS = 100
const MEASURED_MS = 1000
const RESOLUTION_MS = 10

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

export async function checkDisk(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.W_OK)
    const { bavail, blocks, bsize } = await statfs(folder)
    return diskFinding(folder, { freeBytes: bavail * bsize, totalBytes: blocks * bsize })
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === 'ENOENT')
      return failed(
        `The data folder ${folder} does not exist.`,
        'Name the data folder with --data, or start Plugboard, which creates it.',
      )
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return failed(
        `This user (id ${process.getuid?.() ?? 'unknown'}) may not write to the data folder ${folder}.`,
        `Run "chown -R USER ${folder}" with the user of Plugboard, or name another folder with --data.`,
      )
    }
    throw error
  }
}

export function diskFinding(folder: string, { freeBytes, totalBytes }: DiskSpace): Finding {
  const free = `${Math.floor(freeBytes / MIB)} MiB of ${Math.floor(totalBytes / MIB)} MiB`
  const text = `The disk of the data folder ${folder} has ${free} free`
  const remedy = `Free space on this disk ("du -xh ${folder}" shows the largest files), or move the data folder to a larger disk.`
  if (freeBytes < FULL_BYTES) return failed(`${text}.`, remedy)
  if (freeBytes < LOW_BYTES || freeBytes < totalBytes * LOW_SHARE) return warning(`${text}.`, remedy)
  return ok(`${text}.`)
}

/** Measures the delay for one second. */
export async function checkEventLoop(clock: Clock): Promise<Finding> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  try {
    await new Promise<void>(resolve => {
      clock.after(MEASURED_MS, resolve)
    })
  } finally {
    histogram.disable()
  }
  return delayFinding(Math.max(0, histogram.max / 1e6 - RESOLUTION_MS))
}

export function delayFinding(delayMs: number): Finding {
  const text = `The event loop was delayed by ${Math.round(delayMs)} ms at most, measured for ${MEASURED_MS / 1000} s`
  if (delayMs <= MAX_DELAY_MS) return ok(`${text}.`)
  return warning(
    `${text}. Each request waits for as long.`,
    'Give this process more CPU time, or start more replicas. "plugboard status" shows its requests.',
  )
}
