// Whether a process of this number exists, ours or somebody else's.

import { codeOf } from '../common/startup-error.ts'

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}
