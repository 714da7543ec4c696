// The only wait for a change to be live: until the table of this replica has it, so that the next request here finds it. Writers
// call it after their transaction: the admin API before it responds, and telephones/ before it announces the URL of a claim.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ChangeStore } from '../database/store/store.ts'
import type { Directory } from './directory.ts'

export interface AppliedChangesOptions {
  readonly changes: Pick<ChangeStore, 'latest'>
  readonly directory: Pick<Directory, 'waitForSequence'>
  readonly clock: Clock
  readonly timeoutMs: number
}

/**
 * Waits until this replica has applied all changes that are committed now. Rejects after `timeoutMs`, and when the database
 * is unavailable. The changes remain committed in either case.
 */
export async function waitUntilApplied({
  changes,
  directory,
  clock,
  timeoutMs,
}: AppliedChangesOptions): Promise<void> {
  const patience = new AbortController()
  const timer = clock.after(timeoutMs, () =>
    patience.abort(new Error(`this replica did not apply the change within ${timeoutMs} ms`)),
  )
  try {
    await directory.waitForSequence(await changes.latest(), patience.signal)
  } finally {
    timer.cancel()
  }
}
