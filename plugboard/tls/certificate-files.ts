// Certificates in files, read at the start and again when they change. The folders are watched and also checked at intervals,
// because not every file system reports changes. An invalid pair is never used: the previous certificate stays in use, and the
// problem is logged once.

import { type FSWatcher, watch } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { secretFileProblem } from '@vera-stack/shared/process/secret-file.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { type CertificatePair, findPairs } from './certificate-pairs.ts'
import { CertificateSet } from './certificate-set.ts'
import type { TlsPolicy } from './tls-policy.ts'

export interface CertificateFilesOptions {
  readonly folder?: string | undefined
  readonly pairs?: readonly CertificatePair[] | undefined
  readonly defaultHost?: string | undefined
  readonly policy: TlsPolicy
  readonly clock: Clock
  readonly log: Logger
  /** Time between two checks of the files when the system reports no change. Default 10,000 ms. */
  readonly lookIntervalMs?: number | undefined
}

/** Wait after a reported change, and before an invalid pair is reported, because the two files are not replaced together. */
const SETTLE_MS = 250

interface Known {
  /** The signature of the files that were read last. */
  signature: string
  certificate: Certificate | undefined
  /** Whether these files are invalid. `seen`: once, possibly during a replacement. `logged`: the error was logged. */
  bad: 'no' | 'seen' | 'logged'
}

export class CertificateFiles {
  readonly #options: CertificateFilesOptions
  readonly #known = new Map<string, Known>()
  readonly #watchers = new Map<string, FSWatcher>()
  #listener: (set: CertificateSet) => void = () => undefined
  #set = new CertificateSet()
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #folderLogged = false
  #stopped = false

  constructor(options: CertificateFilesOptions) {
    this.#options = options
  }

  get set(): CertificateSet {
    return this.#set
  }

  /** Reads all files. @throws Error with a line for each invalid pair, or Node's error when the folder cannot be read. */
  async start(): Promise<void> {
    const problems: string[] = []
    const pairs = await this.#pairs()
    for (const pair of pairs) {
      try {
        await this.#read(pair, await signatureOf(pair))
      } catch (error) {
        problems.push(`${pair.chainFile}: ${lineOf(error)}`)
      }
    }
    const { defaultHost } = this.#options
    if (problems.length > 0) throw new Error(problems.join('\n'))
    this.#rebuild(pairs)
    if (defaultHost !== undefined && this.#set.fallback === undefined) {
      throw new Error(
        `no certificate covers the default host ${defaultHost}: add one, or change tlsDefaultHost`,
      )
    }
    this.#watch(pairs)
    this.#schedule(this.#interval)
  }

  /** Sets the listener that is called with each new set. */
  onChange(listener: (set: CertificateSet) => void): void {
    this.#listener = listener
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    await this.#looking
  }

  get #interval(): number {
    return this.#options.lookIntervalMs ?? 10_000
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(delayMs, () => this.#look())
  }

  #hinted(): void {
    if (this.#looking === undefined) this.#schedule(SETTLE_MS)
    else this.#lookAgain = true
  }

  #look(): void {
    this.#looking = this.#refresh()
      .catch((error: unknown) =>
        this.#options.log.error('the certificates could not be checked', { err: error }),
      )
      .finally(() => {
        this.#looking = undefined
        const unsettled = [...this.#known.values()].some(({ bad }) => bad === 'seen')
        this.#schedule(this.#lookAgain || unsettled ? SETTLE_MS : this.#interval)
        this.#lookAgain = false
      })
  }

  async #refresh(): Promise<void> {
    const { log, folder } = this.#options
    let pairs: CertificatePair[]
    try {
      pairs = await this.#pairs()
      this.#folderLogged = false
    } catch (error) {
      if (!this.#folderLogged)
        log.error('the folder of certificates cannot be read', { file: folder, err: error })
      this.#folderLogged = true
      return
    }
    let changed = this.#dropRemoved(pairs)
    for (const pair of pairs) changed = (await this.#update(pair)) || changed
    if (this.#stopped) return
    this.#watch(pairs)
    if (!changed) return
    this.#rebuild(pairs)
    this.#listener(this.#set)
  }

  /** Reads a pair again if its files have changed. Returns true when it has a new certificate. */
  async #update(pair: CertificatePair): Promise<boolean> {
    const { log } = this.#options
    const known = this.#known.get(pair.chainFile)
    let signature = 'unreadable'
    try {
      signature = await signatureOf(pair)
      if (known?.signature === signature && known.bad !== 'seen') return false
      await this.#read(pair, signature)
      log.info('certificate read', { file: pair.chainFile })
      return true
    } catch (error) {
      const again = known !== undefined && known.bad !== 'no' && known.signature === signature
      if (again && known.bad === 'seen') {
        log.error('certificate invalid, the previous one stays in use', { file: pair.chainFile, err: error })
      }
      const bad = again ? 'logged' : 'seen'
      this.#known.set(pair.chainFile, { signature, certificate: known?.certificate, bad })
      return false
    }
  }

  async #read(pair: CertificatePair, signature: string): Promise<void> {
    const { policy, clock, log } = this.#options
    const [chain, key] = await Promise.all([readFile(pair.chainFile, 'utf8'), readFile(pair.keyFile, 'utf8')])
    const certificate = readCertificate({ source: pair.chainFile, chain, key, policy })
    this.#known.set(pair.chainFile, { signature, certificate, bad: 'no' })
    const open = secretFileProblem(pair.keyFile)
    if (open !== undefined) {
      log.warn('the key of a certificate is open to other users of this machine', {
        file: pair.keyFile,
        detail: open,
      })
    }
    if (certificate.notAfter.getTime() <= clock.wallTime()) {
      log.error('certificate has expired', {
        file: pair.chainFile,
        detail: certificate.notAfter.toISOString(),
      })
    }
  }

  /**
   * Drops the certificates of pairs that were removed from the folder. Returns true when it has dropped one. Pairs in the
   * settings stay, even when their files are missing. #update then logs the error.
   */
  #dropRemoved(pairs: readonly CertificatePair[]): boolean {
    const present = new Set(pairs.map(({ chainFile }) => chainFile))
    let changed = false
    for (const file of this.#known.keys()) {
      if (present.has(file)) continue
      this.#known.delete(file)
      this.#options.log.info('certificate removed', { file })
      changed = true
    }
    return changed
  }

  async #pairs(): Promise<CertificatePair[]> {
    const { folder, pairs = [] } = this.#options
    return [...pairs, ...(folder === undefined ? [] : await findPairs(folder))]
  }

  #rebuild(pairs: readonly CertificatePair[]): void {
    const certificates = pairs.flatMap(({ chainFile }) => this.#known.get(chainFile)?.certificate ?? [])
    this.#set = new CertificateSet(certificates, this.#options.defaultHost)
  }

  /** Watches the folders of all pairs. A folder that cannot be watched is still checked at intervals. */
  #watch(pairs: readonly CertificatePair[]): void {
    const { folder, log } = this.#options
    const folders = new Set(pairs.flatMap(pair => [dirname(pair.chainFile), dirname(pair.keyFile)]))
    if (folder !== undefined) folders.add(folder)
    for (const [path, watcher] of this.#watchers) {
      if (folders.has(path)) continue
      watcher.close()
      this.#watchers.delete(path)
    }
    for (const path of folders) {
      if (this.#watchers.has(path)) continue
      try {
        const watcher = watch(path, { persistent: false }, () => this.#hinted())
        this.#watchers.set(path, watcher)
        watcher.on('error', () => {
          watcher.close()
          this.#watchers.delete(path)
        })
      } catch (error) {
        log.debug('the certificate folder cannot be watched; it is read every 10 s', {
          file: path,
          err: error,
        })
      }
    }
  }
}

/** Returns a text that changes when one of the files changes. Follows links, because Kubernetes and certbot replace links. */
async function signatureOf(pair: CertificatePair): Promise<string> {
  const stats = await Promise.all([stat(pair.chainFile), stat(pair.keyFile)])
  return stats.map(({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`).join('; ')
}

function lineOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
