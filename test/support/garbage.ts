// Checks whether objects are still referenced, for tests of code that must release them.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Runs the garbage collector after the current call, so that variables of that call hold no references. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await new Promise<void>(resolve => setImmediate(resolve))
  collect()
}

/** Resolves with the number of targets that were not collected. */
export function alive(references: readonly WeakRef<object>[]): number {
  return references.filter(reference => reference.deref() !== undefined).length
}
