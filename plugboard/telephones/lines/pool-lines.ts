// Adds, changes and removes the lines of a pool, and keeps each line with its process. line-pools.ts calls these functions when
// the registry changes.

import { type Line, processKey } from '../../registry/line.ts'
import type { Upstream } from '../../registry/upstream.ts'
import { type Candidate, type LinePool, newProcess, type PooledProcess } from './line-pool.ts'

/** Adds a line to its process. Returns the process. */
export function addLine(pool: LinePool, line: Line, upstream: Upstream, local: boolean): PooledProcess {
  const process = processFor(pool, line)
  const candidate: Candidate = { line, upstream, pool, process, local, active: 0 }
  pool.candidates.push(candidate)
  process.lines.push(candidate)
  if (local && !process.isLocal) {
    process.isLocal = true
    pool.localProcesses.push(process)
  }
  adoptWeight(process)
  return process
}

/** Replaces the data of a line. Returns false when the line now belongs to another process: remove it and add it again. */
export function changeLine(candidate: Candidate, line: Line): boolean {
  const { process } = candidate
  if (processKey(line) !== process.key) return false
  const { weight } = candidate.line
  candidate.line = line
  if (line.weight !== weight) {
    // The telephone announces a new weight on one tunnel after the other.
    remove(process.lines, candidate)
    process.lines.push(candidate)
    adoptWeight(process)
  }
  return true
}

export function removeLine(pool: LinePool, candidate: Candidate): void {
  const { process } = candidate
  remove(pool.candidates, candidate)
  remove(process.lines, candidate)
  if (process.isLocal && !process.lines.some(({ local }) => local)) {
    process.isLocal = false
    remove(pool.localProcesses, process)
  }
  if (process.lines.length > 0) {
    adoptWeight(process)
    return
  }
  remove(pool.processes, process)
  if (process.active > 0 && pool.holders.length > 0) pool.closing.push(process)
}

function processFor(pool: LinePool, line: Line): PooledProcess {
  const key = processKey(line)
  const known = pool.processes.find(process => process.key === key)
  if (known !== undefined) return known
  const process = pool.closing.find(each => each.key === key) ?? newProcess(key, line.telephone)
  remove(pool.closing, process)
  pool.processes.push(process)
  return process
}

/** The weight of the line that was added or changed last applies: see `lines` of PooledProcess. */
function adoptWeight(process: PooledProcess): void {
  process.weight = process.lines.at(-1)?.line.weight ?? 0
}

function remove<Entry>(from: Entry[], entry: Entry): void {
  const index = from.indexOf(entry)
  if (index !== -1) from.splice(index, 1)
}
