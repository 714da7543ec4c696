// The file of the admin key, <data>/secrets/admin.key, where the command line looks for it. It is a copy for people: the
// database alone decides which keys are valid, and a key in a file is never added to the database.
//
// A new key is written to admin.key.new before it is stored in the database, and to admin.key after that. So a process
// that is killed in between loses no key: `recover` finishes the step at the next start.

import { SecretsFolder } from './secrets-folder.ts'

const FILE = 'admin.key'
const UNFINISHED = 'admin.key.new'
const REPLACED = 'admin.key.old'

export class AdminKeyFile {
  readonly #secrets: SecretsFolder

  constructor(dataFolder: string) {
    this.#secrets = new SecretsFolder(dataFolder)
  }

  get path(): string {
    return this.#secrets.file(FILE)
  }

  /** Returns the key; undefined when there is no file. */
  read(): Promise<string | undefined> {
    return this.#secrets.read(FILE)
  }

  /**
   * Writes the key before and after `store` stores it in the database. The file stays as it was when `store` returns
   * undefined, or rejects; `recover` then finds out whether the key was stored. The earlier key of the file is kept in a file
   * beside it, because the key may belong to another database.
   */
  async replace<Row>(key: string, store: () => Promise<Row | undefined>): Promise<Row | undefined> {
    await this.#secrets.write(UNFINISHED, key)
    const row = await store()
    await (row === undefined ? this.#discard(key) : this.#finish(key))
    return row
  }

  /** Finishes the step that a killed process has begun. `isStored`: true when the database has this key. */
  async recover(isStored: (key: string) => Promise<boolean>): Promise<boolean> {
    const key = await this.#secrets.read(UNFINISHED)
    if (key === undefined) return false
    const stored = await isStored(key)
    await (stored ? this.#finish(key) : this.#discard(key))
    return stored
  }

  async #finish(key: string): Promise<void> {
    if ((await this.read()) !== key) await this.#secrets.rename(FILE, REPLACED)
    await this.#secrets.write(FILE, key)
    await this.#discard(key)
  }

  /** Removes the unfinished file, unless another process that starts on the same folder has written its own key there. */
  async #discard(key: string): Promise<void> {
    if ((await this.#secrets.read(UNFINISHED)) === key) await this.#secrets.remove(UNFINISHED)
  }
}
