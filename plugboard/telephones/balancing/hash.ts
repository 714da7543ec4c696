// The balancing policy `hash`: weighted rendezvous hashing with bounded loads. Each process gets a score for the key of the
// request, and the process with the highest score receives the request. When a process disconnects, only its keys move.
//
//   score = weight / -ln(u)        u: a hash of the key and of the process, between 0 and 1
//
// A process with more than `LOAD_FACTOR` times the mean load is skipped, so that one popular key cannot overload it. Sources:
// Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); Mirrokni et al., "Consistent hashing with
// bounded loads" (2018).

import type { BalancedProcess } from './balanced-process.ts'

/** Largest load of a process, in relation to the mean load for its weight. */
const LOAD_FACTOR = 1.25

/** `key`: an integer from 0 to 2^53 - 1, equal for requests that belong together. Undefined only when `from` is empty. */
export function rendezvous<Process extends BalancedProcess>(
  from: readonly Process[],
  key: number,
): Process | undefined {
  let weights = 0
  let streams = 1
  for (const { weight, active } of from) {
    weights += weight
    streams += active
  }
  const streamsPerWeight = (LOAD_FACTOR * streams) / weights
  const low = key | 0
  const high = (key / 2 ** 32) | 0
  let best: Process | undefined
  let bestScore = 0
  for (const process of from) {
    // The bounds add up to more than all streams, so at least one process is below its bound.
    if (process.active >= Math.ceil(streamsPerWeight * process.weight)) continue
    const score = process.weight / -Math.log(uniform(process.seed, low, high))
    if (score <= bestScore) continue
    best = process
    bestScore = score
  }
  return best
}

/** Returns the seed of a process: a 32-bit hash of the text (FNV-1a). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}

/** Returns a number between 0 and 1, both excluded. */
function uniform(seed: number, low: number, high: number): number {
  return ((mix(mix(seed ^ low) ^ high) >>> 0) + 0.5) / 2 ** 32
}

/** Changes each output bit with a probability of one half when an input bit changes (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
