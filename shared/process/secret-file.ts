// Reports whether other users of the machine can read or change a file that holds a secret. Containers and shared folders often
// give files wide modes on purpose, so this is a warning: the caller logs or prints it, and continues.

import { constants, statSync } from 'node:fs'

/**
 * Permission bits of users other than the owner and the group. A group has access on purpose, for example by `fsGroup` of a
 * pod.
 */
const OTHERS = 0o007
/** The permission bit with which other users may change a file or a folder. */
export const OTHERS_WRITE = 0o002

/** Returns the problem of the mode of a secret file, with the command that corrects it. Undefined: the mode is fine. */
export function secretFileProblem(path: string): string | undefined {
  // On Windows, Node derives the mode from the read-only attribute.
  if (process.platform === 'win32') return undefined
  const stats = statSync(path, { throwIfNoEntry: false })
  // The mode of a pipe, such as the shell's `<(command)`, does not matter: its name exists in this process alone.
  return stats?.isFile() ? secretModeProblem(path, stats.mode) : undefined
}

/** Returns the problem of a mode that the caller has read, or undefined. */
export function secretModeProblem(path: string, mode: number): string | undefined {
  if ((mode & OTHERS) === 0) return undefined
  const what = (mode & OTHERS_WRITE) === 0 ? 'read' : 'change'
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  const wanted = (mode & constants.S_IFMT) === constants.S_IFDIR ? '700' : '600'
  return `Other users of this machine can ${what} ${path} (mode ${octal}): run "chmod ${wanted} ${path}".`
}
