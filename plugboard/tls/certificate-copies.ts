// Copies of certificates on disk, one file for each host, so that a replica can serve them when it starts while Postgres is
// unavailable. Keys stay sealed, as in the database. Files are written atomically, and only their owner can read them. When the
// database is available, its certificates are used instead.

import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../common/make-folder.ts'
import type { StoredCertificate } from '../database/store/store.ts'

const SUFFIX = '.json'
const copySchema = z.object({
  host: z.string(),
  chain: z.string(),
  sealedKey: z.string(),
  notAfter: z.coerce.date(),
  renewAt: z.coerce.date(),
  issuedAt: z.coerce.date(),
})

export class CertificateCopies {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Writes the copy of a certificate. `certificate.host` is a host name: letters, digits, `-` and `.`. */
  async write(certificate: StoredCertificate): Promise<void> {
    const file = this.#fileOf(certificate.host)
    const unfinished = join(this.#folder, `.${randomUUID()}`)
    await makeFolder(this.#folder, 0o700)
    try {
      const handle = await open(unfinished, 'wx', 0o600)
      try {
        await handle.writeFile(`${JSON.stringify(certificate)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(unfinished, file)
    } finally {
      await rm(unfinished, { force: true })
    }
  }

  /** Returns the copy for a host; undefined when it does not exist. Rejects when it cannot be read. */
  async read(host: string): Promise<StoredCertificate | undefined> {
    try {
      return copySchema.parse(JSON.parse(await readFile(this.#fileOf(host), 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Removes copies that have expired or cannot be read. */
  async prune(nowMs: number): Promise<void> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    for (const name of names.filter(each => each.endsWith(SUFFIX))) {
      const copy = await this.read(name.slice(0, -SUFFIX.length)).catch(() => undefined)
      if (copy === undefined || copy.notAfter.getTime() <= nowMs) {
        await rm(join(this.#folder, name), { force: true })
      }
    }
  }

  #fileOf(host: string): string {
    return join(this.#folder, `${host}${SUFFIX}`)
  }
}
