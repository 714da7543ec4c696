// How much memory this process may use: what its container allows, or a share of the machine's.

import { totalmem } from 'node:os'

/** `maxPercent`: of the machine's memory, when no container limits the process. */
export function processMemoryBytes(maxPercent = 100): number {
  const machine = totalmem()
  // Without a limit Node reports 0, or more than any machine has.
  const container = process.constrainedMemory()
  return container > 0 && container < machine ? container : Math.floor((machine * maxPercent) / 100)
}
