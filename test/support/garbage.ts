// Whether something is still referenced, for tests of what must be forgotten.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Runs the garbage collector, outside of the current call so that its variables do not count. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await new Promise<void>(resolve => setImmediate(resolve))
  collect()
}

/** How many of the targets are still there. */
export function alive(references: readonly WeakRef<object>[]): number {
  return references.filter(reference => reference.deref() !== undefined).length
}
