// The secrets of one Plugboard, in <data>/secrets/: files of mode 0600 in a folder of mode 0700. A write replaces the whole
// file or has no effect. private-files.ts checks the modes at each start.

import { randomUUID } from 'node:crypto'
import { chmod, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../common/make-folder.ts'
import { errorCodeOf, folderError } from '../../common/startup-error.ts'

export class SecretsFolder {
  readonly path: string

  constructor(dataFolder: string) {
    this.path = join(dataFolder, 'secrets')
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Resolves with undefined when the file does not exist. */
  async read(name: string): Promise<string | undefined> {
    try {
      return (await readFile(this.file(name), 'utf8')).trim()
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Replaces the file. Rejects with StartupError when the folder is not writable. */
  async write(name: string, secret: string): Promise<void> {
    try {
      await makeFolder(this.path, 0o700)
      // Other users may have access to a folder that existed before.
      await chmod(this.path, 0o700)
      const unfinished = this.file(`.${name}.${randomUUID()}`)
      try {
        const handle = await open(unfinished, 'wx', 0o600)
        try {
          await handle.writeFile(`${secret}\n`)
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(unfinished, this.file(name))
      } finally {
        await rm(unfinished, { force: true })
      }
    } catch (error) {
      throw folderError(this.path, error)
    }
  }

  /** Replaces `to`. No effect when `from` does not exist. */
  async rename(from: string, to: string): Promise<void> {
    try {
      await rename(this.file(from), this.file(to))
    } catch (error) {
      if (errorCodeOf(error) !== 'ENOENT') throw folderError(this.path, error)
    }
  }

  /** No effect when the file does not exist. */
  async remove(name: string): Promise<void> {
    await rm(this.file(name), { force: true })
  }
}
