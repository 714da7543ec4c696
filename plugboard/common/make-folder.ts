// `mkdir -p`. Node's recursive mkdir never returns in a file system that reports ENOENT for a folder whose parent exists
// (for example /proc), and it keeps one core busy all the time.

import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCodeOf } from './startup-error.ts'

/**
 * Creates a folder and its missing parents, each with `mode`. Rejects with the error of the system; a file with the path of a
 * folder is ENOTDIR or EEXIST.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    if (errorCodeOf(error) !== 'ENOENT' || parent === path) throw error
    await makeFolder(parent, mode)
    // The second result is final. Another process may have created the folder meanwhile.
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      if (errorCodeOf(again) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw again
    })
  }
}
