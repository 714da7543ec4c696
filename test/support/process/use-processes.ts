// Stops child processes at the end of each vitest test.

import { afterEach } from 'vitest'
import { Processes } from './processes.ts'

/** Returns processes that are stopped after each test of the calling file or block. */
export function useProcesses(): Processes {
  const processes = new Processes()
  afterEach(() => processes.stopAll())
  return processes
}
