// Frees the memory of body bytes soon after they have passed. Node reads a socket into buffers of 64 KiB outside V8's heap. V8
// reacts to the growth of that memory with full collections of the whole heap, which take half of the CPU of a transfer. The
// objects that hold the buffers die young, so a scavenge frees them for a hundredth of the cost.
// docs/decisions/0006-scavenge-body-memory.md has the figures.
//
// The state belongs to the process, because the heap does. The two programs switch it on. An application that uses the
// Telephone library decides itself, because a scavenge also visits the young objects of the application.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Body bytes between two scavenges. About this much memory collects outside the heap, once for each copy of the bytes. It must
 * stay below the external memory that V8 allows beside its smallest heap.
 */
const SCAVENGE_EVERY_BYTES = 2 * 1024 * 1024

let collectMinor: (() => void) | undefined
let passedBytes = 0

/**
 * Asks V8 for a scavenge after every 2 MiB of bodies that pass through tunnels, from now on and in the whole process. It makes
 * transfers of large bodies about twice as fast. Each scavenge takes 0.3 ms in a process with 10 MB of live objects.
 */
export function collectBodyMemory(): void {
  if (collectMinor !== undefined) return
  const collect = findCollector()
  collectMinor = () => collect({ type: 'minor' })
}

/** Counts the bytes of a message that comes from a tunnel or goes to one. Has no effect before `collectBodyMemory`. */
export function bytesPassed(bytes: number): void {
  if (collectMinor === undefined) return
  passedBytes += bytes
  if (passedBytes < SCAVENGE_EVERY_BYTES) return
  passedBytes = 0
  collectMinor()
}

/**
 * Collects the garbage of the whole heap, and returns free pages to the system. Without this call V8 keeps the pages: after
 * 350 MB of garbage a process kept all of them. It takes 20 ms in a small process, and about a second per gigabyte of live
 * objects.
 */
export function releaseMemory(): void {
  findCollector()({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

interface Collection {
  readonly type: 'minor' | 'major'
  readonly execution?: 'sync'
  readonly flavor?: 'last-resort'
}

/** Returns the garbage collector function of V8. V8 exposes it only with `--expose-gc`, which is set here for a moment. */
function findCollector(): (collection: Collection) => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('globalThis.gc')
  // The flag was off before when `globalThis.gc` is absent. Switch it off again, so that other contexts get no `gc`.
  if (globalThis.gc === undefined) setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return () => undefined
  return collection => gc(collection)
}
