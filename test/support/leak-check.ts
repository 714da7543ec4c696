// What keeps an event loop alive after a test: sockets, servers, timers, child processes, streams. Compared with
// what was there before, so that the test runner's own resources do not count.

import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach } from 'vitest'

/** Kinds of `process.getActiveResourcesInfo` that come and go by themselves, or belong to the test runner. */
const IGNORED = new Set(['FSReqCallback', 'FSReqPromise', 'MessagePort', 'CloseReq', 'Immediate'])
const PATIENCE_MS = 2000

/** How many of each kind are open now. */
export function openResources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (!IGNORED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** What is open beyond `before`, as `TCPSocketWrap +2`; empty when all is in order. */
export function leakedSince(before: ReadonlyMap<string, number>): string[] {
  return [...openResources()].flatMap(([kind, count]) => {
    const surplus = count - (before.get(kind) ?? 0)
    return surplus > 0 ? [`${kind} +${surplus}`] : []
  })
}

/** Waits a moment for closes that are under way, then throws when something is left. */
export async function expectNoLeak(
  before: ReadonlyMap<string, number>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const leaked = leakedSince(before)
    if (leaked.length === 0) return
    // Our own wait is a timer too, but it is over whenever we look.
    if (performance.now() > deadline) throw new Error(`left open by the test: ${leaked.join(', ')}`)
    await delay(10)
  }
}

/** Every test of the calling file or block must leave nothing open. Call it before other hooks that tear down. */
export function useLeakCheck(): void {
  let before = openResources()
  beforeEach(() => {
    before = openResources()
  })
  afterEach(() => expectNoLeak(before))
}
