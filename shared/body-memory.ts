// Gives the memory of body bytes that have passed back in time. Every 64 KiB that Node reads from a socket is a
// buffer outside V8's heap, and V8 answers external memory with full collections of the whole heap, long before
// the few objects that hold those buffers have filled the young generation: half of the CPU of a transfer.
// They die young, so a scavenge frees them for a hundredth of that. shared/decisions/0006-scavenge-body-memory.md
// has the figures.
//
// One counter for the process, because there is one heap.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Body bytes between two scavenges: about what piles up outside the heap, once for each copy on the way. Must stay
 * below what V8 allows beside its smallest heap.
 */
const SCAVENGE_EVERY_BYTES = 2 * 1024 * 1024

const scavenge = findScavenge()
let passedBytes = 0

/** To be told of the bytes of every message that comes from or goes to a tunnel. */
export function bytesPassed(bytes: number): void {
  passedBytes += bytes
  if (passedBytes < SCAVENGE_EVERY_BYTES) return
  passedBytes = 0
  scavenge()
}

/** V8's own function, which is only handed to code that was started with `--expose-gc` or asks as here. */
function findScavenge(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  // Nobody else's `globalThis.gc` was made by this, and none will be.
  if (globalThis.gc === undefined) setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => undefined
  return () => gc({ type: 'minor' })
}
