// Adds, changes and removes the lines of a pool, and keeps each line with its process. line-pools.ts calls these functions when
// the registry changes.

import { type Line, processKey } from '../../registry/line.ts'
import type { Upstream } from '../../registry/upstream.ts'
import { isOver } from '../outliers/watched-process.ts'
import {
  type Candidate,
  forgetIdle,
  type LinePool,
  newProcess,
  type PooledProcess,
  type ProcessSetting,
} from './line-pool.ts'
import { startSlowly } from './slow-start.ts'

/** Most processes of a pool that are kept without a line, because passive ejection watches them. */
const MAX_WITHOUT_LINES = 100

/** Adds a line to its process. Returns the process. */
export function addLine(
  pool: LinePool,
  line: Line,
  upstream: Upstream,
  local: boolean,
  nowMs: number,
): PooledProcess {
  const process = processFor(pool, line, nowMs)
  const wasServing = isServing(process)
  const candidate: Candidate = { line, upstream, pool, process, local, active: 0 }
  pool.candidates.push(candidate)
  process.lines.push(candidate)
  pool.subsets = undefined
  if (local && !process.isLocal) {
    process.isLocal = true
    pool.localProcesses.push(process)
  }
  adoptWeight(process)
  if (!wasServing && isServing(process)) startSlowly(pool, process, nowMs)
  return process
}

/** Replaces the data of a line. Returns false when the line now belongs to another process: remove it and add it again. */
export function changeLine(candidate: Candidate, line: Line, nowMs: number): boolean {
  const { process, pool } = candidate
  if (processKey(line) !== process.key) return false
  const wasServing = isServing(process)
  const { weight } = candidate.line
  candidate.line = line
  pool.subsets = undefined
  if (line.weight !== weight) {
    // The telephone announces a new weight on one tunnel after the other.
    remove(process.lines, candidate)
    process.lines.push(candidate)
    adoptWeight(process)
  }
  if (!wasServing && isServing(process)) startSlowly(pool, process, nowMs)
  return true
}

export function removeLine(pool: LinePool, candidate: Candidate): void {
  const { process } = candidate
  remove(pool.candidates, candidate)
  remove(process.lines, candidate)
  pool.subsets = undefined
  if (process.isLocal && !process.lines.some(({ local }) => local)) {
    process.isLocal = false
    remove(pool.localProcesses, process)
  }
  if (process.lines.length > 0) {
    adoptWeight(process)
    return
  }
  remove(pool.processes, process)
  pool.hasSeeds = false
  if (process.active === 0 || pool.holders.length === 0) forgetIdle(pool, process)
}

function processFor(pool: LinePool, line: Line, nowMs: number): PooledProcess {
  const key = processKey(line)
  let process = pool.known.get(key)
  if (process === undefined) {
    forgetDisconnected(pool, nowMs)
    process = newProcess(key, line.telephone)
    pool.known.set(key, process)
  }
  if (process.lines.length === 0) {
    pool.processes.push(process)
    pool.hasSeeds = false
  }
  return process
}

/** Forgets processes without lines and streams: those whose ejection is over, and the oldest ones above the limit. */
function forgetDisconnected({ known, processes }: LinePool, nowMs: number): void {
  if (known.size === processes.length) return
  const idle = [...known.values()].filter(({ lines, active }) => lines.length === 0 && active === 0)
  for (const [index, { key, watch }] of idle.entries()) {
    if (isOver(watch, nowMs) || index < idle.length - MAX_WITHOUT_LINES) known.delete(key)
  }
}

/** Returns true when the process takes requests by its weight and its health. */
function isServing({ fullWeight, lines }: PooledProcess): boolean {
  return fullWeight > 0 && lines.some(({ line }) => line.health === 'up')
}

/** The weight of the line that was added or changed last applies: see `lines` of PooledProcess. */
function adoptWeight(process: PooledProcess): void {
  process.announcedWeight = process.lines.at(-1)?.line.weight ?? 0
  process.fullWeight = process.override?.weight ?? process.announcedWeight
  process.weight = process.fullWeight
}

/** Applies an override. A process that takes requests again starts slowly. */
export function setOverride(
  pool: LinePool,
  process: PooledProcess,
  override: ProcessSetting | undefined,
  nowMs: number,
): void {
  const wasServing = isServing(process)
  process.override = override
  adoptWeight(process)
  if (!wasServing && isServing(process)) startSlowly(pool, process, nowMs)
}

function remove<Entry>(from: Entry[], entry: Entry): void {
  const index = from.indexOf(entry)
  if (index !== -1) from.splice(index, 1)
}
