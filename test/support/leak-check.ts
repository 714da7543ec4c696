// Finds resources that a test left open: sockets, servers, timers, child processes, streams. They are compared with the
// resources before the test, so that those of the test runner do not count.

import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach } from 'vitest'

/** Kinds of `process.getActiveResourcesInfo` that end by themselves, or belong to the test runner. */
const IGNORED = new Set(['FSReqCallback', 'FSReqPromise', 'MessagePort', 'CloseReq', 'Immediate'])
const PATIENCE_MS = 2000

/** Returns the number of open resources of each kind. */
export function openResources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (!IGNORED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** Returns the resources that are open in addition to `before`, such as `TCPSocketWrap +2`. */
export function leakedSince(before: ReadonlyMap<string, number>): string[] {
  return [...openResources()].flatMap(([kind, count]) => {
    const surplus = count - (before.get(kind) ?? 0)
    return surplus > 0 ? [`${kind} +${surplus}`] : []
  })
}

/** Waits a short time for closes in progress, then throws when a resource is still open. */
export async function expectNoLeak(
  before: ReadonlyMap<string, number>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const leaked = leakedSince(before)
    if (leaked.length === 0) return
    // The wait itself is a timer too, but it has ended before each check.
    if (performance.now() > deadline) throw new Error(`left open by the test: ${leaked.join(', ')}`)
    await delay(10)
  }
}

/** Fails each test of the calling file or block that leaves a resource open. Call it before other hooks that tear down. */
export function useLeakCheck(): void {
  let before = openResources()
  beforeEach(() => {
    before = openResources()
  })
  afterEach(() => expectNoLeak(before))
}
