// Chooses the line of a process for the next stream: a local line, because it needs no hop, then the line with the fewest
// streams.

import { type Candidate, canTake, type PooledProcess } from './line-pool.ts'

/** Returns true when passive ejection admits requests to the process, and a line of it takes a stream of this client now. */
export function takesStream(process: PooledProcess, client: string): boolean {
  return process.watch.admits && hasLineFor(process, client)
}

/** Returns true when a line of the process takes a stream of this client now, even if the process is ejected. */
export function hasLineFor(process: PooledProcess, client: string): boolean {
  for (const candidate of process.lines) if (canTake(candidate, client)) return true
  return false
}

/** Returns the line of the process for the next stream; undefined when no line takes one. */
export function lineForStream(process: PooledProcess, client: string): Candidate | undefined {
  const { lines } = process
  const [first] = lines
  if (lines.length === 1 && first !== undefined) return canTake(first, client) ? first : undefined
  let best: Candidate | undefined
  let index = process.cursor
  process.cursor = (process.cursor + 1) % lines.length
  for (let seen = 0; seen < lines.length; seen += 1, index += 1) {
    const candidate = lines[index % lines.length] as Candidate
    if (canTake(candidate, client) && (best === undefined || isBetter(candidate, best))) best = candidate
  }
  return best
}

/** Returns the best of some lines that take a stream, by the rule of `lineForStream`. */
export function bestLine(lines: readonly Candidate[]): Candidate | undefined {
  let best: Candidate | undefined
  for (const candidate of lines) if (best === undefined || isBetter(candidate, best)) best = candidate
  return best
}

/** Returns the number of streams on the tunnels of the process, of all services and replicas. */
export function tunnelStreams({ lines }: PooledProcess): number {
  let streams = 0
  for (const { upstream } of lines) streams += upstream.streamCount
  return streams
}

function isBetter(line: Candidate, than: Candidate): boolean {
  return line.local === than.local ? streamsOn(line) < streamsOn(than) : line.local
}

/** The count of a local tunnel includes the streams of all services and replicas. A remote one has no count here. */
function streamsOn({ local, upstream, active }: Candidate): number {
  return local ? upstream.streamCount : active
}
