// Temporary folders of tests that start real processes. The end finds processes that still work in the folder:
// the embedded database, say, of a Plugboard that was killed with -9.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../deadline.ts'
import { listProcesses, type ProcessRow } from './process-table.ts'

export function temporaryFolder(prefix = 'vera-test-'): Promise<string> {
  return mkdtemp(join(tmpdir(), prefix))
}

/** Living processes that work in the folder or name it in their command line. */
export function processesIn(folder: string): ProcessRow[] {
  // What is found here is killed below: an empty or wide path must never get this far.
  if (!folder.startsWith(join(tmpdir(), 'vera-'))) throw new Error(`not a folder of a test: "${folder}"`)
  const within = (path: string) => path === folder || path.startsWith(`${folder}/`)
  return listProcesses().filter(row => {
    if (row.zombie || row.pid === process.pid) return false
    return within(row.folder) || row.command.split(/[\s=:]/).some(within)
  })
}

/** Kills what still works in the folder and removes it; returns the commands of what was killed. */
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
