// Ties child processes to vitest's tests.

import { afterEach } from 'vitest'
import { Processes } from './processes.ts'

/** Processes that end with each test of the calling file or block. */
export function useProcesses(): Processes {
  const processes = new Processes()
  afterEach(() => processes.stopAll())
  return processes
}
