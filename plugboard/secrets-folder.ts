// First-run secrets: <data>/secrets/, readable by their owner alone. Written once, read at each
// later start; a file that was deleted is made anew.

import { chmod, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from './database/make-folder.ts'

export class SecretsFolder {
  readonly path: string

  constructor(dataFolder: string) {
    this.path = join(dataFolder, 'secrets')
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Undefined when there is none. */
  async read(name: string): Promise<string | undefined> {
    try {
      return (await readFile(this.file(name), 'utf8')).trim()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Whole or not at all, mode 0600. */
  async write(name: string, secret: string): Promise<void> {
    await makeFolder(this.path, 0o700)
    // A folder that was there already may be open to others.
    await chmod(this.path, 0o700)
    const fresh = this.file(`.${name}.${process.pid}`)
    const handle = await open(fresh, 'w', 0o600)
    try {
      await handle.writeFile(`${secret}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, this.file(name))
  }
}
