// Seals private keys again when another secret has become the first one: those in the database and in the copies on this disk.
// After that, the older secret can be removed. Each replica does this at its start. The last replica that starts with the new
// order also finds the keys that others have sealed with the older secret in the meantime.

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { CertificateStore } from '../database/store/store.ts'
import type { CertificateCopies } from './certificate-copies.ts'
import type { KeySeal } from './key-seal.ts'

export interface KeyRotationOptions {
  readonly store: Pick<CertificateStore, 'sealedKeys' | 'replaceKey'>
  readonly copies: Pick<CertificateCopies, 'read' | 'write'>
  readonly seal: KeySeal
  readonly clock: Clock
  readonly log: Logger
}

/** Wait before a retry after the database was unavailable. */
const AGAIN_MS = 30_000

export class KeyRotation {
  readonly #options: KeyRotationOptions
  #running: Promise<void> = Promise.resolve()
  #timer: Timer | undefined
  #stopped = false

  constructor(options: KeyRotationOptions) {
    this.#options = options
  }

  /** Starts the rotation when there is more than one secret. */
  start(): void {
    if (this.#options.seal.rotates) this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options
    try {
      const count = await this.#resealAll()
      log.info('certificate keys are encrypted with the first clusterSecret', { count })
    } catch (error) {
      log.warn('certificate keys could not be re-encrypted; keep the older clusterSecret', {
        err: error,
      })
      if (this.#stopped) return
      this.#timer = clock.after(AGAIN_MS, () => {
        this.#running = this.#run()
      })
    }
  }

  /** Seals all keys with the first secret. Returns the number of keys that were replaced in the database. */
  async #resealAll(): Promise<number> {
    const { store, seal } = this.#options
    let count = 0
    for (const { kind, name, sealedKey } of await store.sealedKeys()) {
      const again = seal.reseal(sealedKey, name)
      // `replaceKey` returns false when the key was replaced in the meantime. The new key is sealed already.
      if (again !== undefined && (await store.replaceKey(kind, name, sealedKey, again))) count += 1
      if (kind === 'certificate') await this.#resealCopy(name)
      if (this.#stopped) break
    }
    return count
  }

  async #resealCopy(host: string): Promise<void> {
    const { copies, seal } = this.#options
    const copy = await copies.read(host)
    const sealedKey = copy && seal.reseal(copy.sealedKey, host)
    if (copy !== undefined && sealedKey !== undefined) await copies.write({ ...copy, sealedKey })
  }
}
