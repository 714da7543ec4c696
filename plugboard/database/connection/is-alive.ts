// Checks whether a process with a pid exists, of this user or of another one.

import { errorCodeOf } from '../../common/startup-error.ts'

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errorCodeOf(error) === 'EPERM'
  }
}
