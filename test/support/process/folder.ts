// Temporary folders of tests that start real processes. The clean-up finds processes that still use the folder, such as the
// embedded database of a Plugboard that was killed with -9.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../deadline.ts'
import { listProcesses, type ProcessRow } from './process-table.ts'

export function temporaryFolder(prefix = 'vera-test-'): Promise<string> {
  return mkdtemp(join(tmpdir(), prefix))
}

/** Returns the running processes whose working directory is in the folder, or whose command line names it. */
export function processesIn(folder: string): ProcessRow[] {
  // The processes that are found here are killed below, so an empty or wide path must be rejected.
  if (!folder.startsWith(join(tmpdir(), 'vera-'))) throw new Error(`not a folder of a test: "${folder}"`)
  const within = (path: string) => path === folder || path.startsWith(`${folder}/`)
  return listProcesses().filter(row => {
    if (row.zombie || row.pid === process.pid) return false
    return within(row.folder) || row.command.split(/[\s=:]/).some(within)
  })
}

/** Kills the processes that still use the folder, and removes it. Returns the commands of the killed processes. */
export async function removeFolder(folder: string): Promise<string[]> {
  const left = processesIn(folder)
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  await eventually('processes in the folder end', () => (processesIn(folder).length === 0 ? true : undefined))
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  return left.map(({ command }) => command)
}
