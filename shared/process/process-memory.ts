// Finds how much memory this process may use: the limit of its container, or a share of the machine's memory.

import { totalmem } from 'node:os'

/** Returns the limit of the container; without a limit, `maxPercent` of the machine's memory. */
export function processMemoryBytes(maxPercent = 100): number {
  const machine = totalmem()
  // Without a limit, Node reports 0 or a number above the memory of any machine.
  const container = process.constrainedMemory()
  return container > 0 && container < machine ? container : Math.floor((machine * maxPercent) / 100)
}
