// After another secret has become the first one: seals with it what lies in the database under an older one, and the
// copies on this disk, so that the older one can go. Each replica does it at its start; the last to start with the new
// order finds what the others have sealed meanwhile.

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

/** The database was away. */
const AGAIN_MS = 30_000

export class KeyRotation {
  readonly #options: KeyRotationOptions
  #running: Promise<void> = Promise.resolve()
  #timer: Timer | undefined
  #stopped = false

  constructor(options: KeyRotationOptions) {
    this.#options = options
  }

  /** Nothing to do with one secret. */
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

  /** How many were. */
  async #resealAll(): Promise<number> {
    const { store, seal } = this.#options
    let count = 0
    for (const { kind, name, sealedKey } of await store.sealedKeys()) {
      const again = seal.reseal(sealedKey, name)
      // Whoever has replaced it meanwhile is right.
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
