// Gives the memory of body bytes that have passed back in time. Every 64 KiB that Node reads from a socket is a
// buffer outside V8's heap, and V8 answers external memory with full collections of the whole heap, long before
// the few objects that hold those buffers have filled the young generation: half of the CPU of a transfer.
// They die young, so a scavenge frees them for a hundredth of that. docs/decisions/0006-scavenge-body-memory.md
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

const collect = findCollector()
let passedBytes = 0

/** To be told of the bytes of every message that comes from or goes to a tunnel. */
export function bytesPassed(bytes: number): void {
  passedBytes += bytes
  if (passedBytes < SCAVENGE_EVERY_BYTES) return
  passedBytes = 0
  collect({ type: 'minor' })
}

/**
 * Collects the garbage of the whole heap, and gives free pages back to the system. V8 keeps them otherwise: after 350 MB of
 * garbage a process kept all of them. Takes 20 ms in a small process, and about a second for each gigabyte of live objects.
 */
export function releaseMemory(): void {
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

interface Collection {
  readonly type: 'minor' | 'major'
  readonly execution?: 'sync'
  readonly flavor?: 'last-resort'
}

/** Returns V8's own function, which V8 hands only to code that was started with `--expose-gc` or asks as here. */
function findCollector(): (collection: Collection) => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  // No other code has made a `globalThis.gc` with this flag, and from here on none can.
  if (globalThis.gc === undefined) setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => undefined
  return collection => gc(collection)
}
