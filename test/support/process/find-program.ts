// Finds optional programs: a run uses them when they are installed.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Folders of servers, which are often not in the PATH of an ordinary user. */
const MORE_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/usr/local/bin']

export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...MORE_FOLDERS]
  return folders
    .filter(folder => folder !== '')
    .map(folder => join(folder, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
