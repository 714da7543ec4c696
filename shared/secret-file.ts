// Reports whether other users of the machine can read or change a file that holds a secret. Containers and shared folders often
// give files wide modes on purpose, so this is a warning: the caller logs or prints it and goes on.

import { constants, statSync } from 'node:fs'

/** Bits of all users but the owner and the group. A group gets access on purpose, by `fsGroup` of a pod for example. */
const OTHERS = 0o007
/** The bit by which all other users may change a file or a folder. */
export const OTHERS_WRITE = 0o002

/** Returns the problem of the mode of a secret file, with the command that corrects it. Undefined: the mode is fine. */
export function secretFileProblem(path: string): string | undefined {
  // On Windows, Node derives the mode from the read-only attribute.
  if (process.platform === 'win32') return undefined
  const stats = statSync(path, { throwIfNoEntry: false })
  // The mode of a pipe, such as the shell's `<(command)`, does not matter: its name exists in this process alone.
  return stats?.isFile() ? secretModeProblem(path, stats.mode) : undefined
}

/** The same for a mode that the caller has read. */
export function secretModeProblem(path: string, mode: number): string | undefined {
  if ((mode & OTHERS) === 0) return undefined
  const what = (mode & OTHERS_WRITE) === 0 ? 'read' : 'change'
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  const wanted = (mode & constants.S_IFMT) === constants.S_IFDIR ? '700' : '600'
  return `Other users of this machine can ${what} ${path} (mode ${octal}): run "chmod ${wanted} ${path}".`
}
