// `mkdir -p`. Node's own recursive mkdir never returns in file systems that answer ENOENT for a folder whose parent
// exists (/proc, for one), and burns a core meanwhile.

import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './startup-error.ts'

/** `mode`: of each folder that is made. Rejects with the system's error; a file in the way is ENOTDIR or EEXIST. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || parent === path) throw error
    await makeFolder(parent, mode)
    // Once more, and whatever it says now is the answer; a neighbour may have made it meanwhile.
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      if (codeOf(again) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw again
    })
  }
}
