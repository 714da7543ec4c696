// Finds replicas by one DNS name: each address (A and AAAA) of a headless service is a replica. It resolves the name at a
// fixed interval, and keeps the last result when the lookup fails.

import { lookup } from 'node:dns/promises'
import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { type Discovery, type Found, peerAddress } from './discovery.ts'

export interface DnsDiscoveryOptions {
  /** `host:port`, or a URL for https. */
  readonly name: string
  readonly clock: Clock
  readonly log: Logger
  /** Default: the resolver of the system, which also reads the hosts file. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

const INTERVAL_MS = 5000

export class DnsDiscovery implements Discovery {
  readonly source = 'dns'
  readonly #options: DnsDiscoveryOptions
  readonly #url: URL
  #found: readonly Found[] = []
  #timer: Timer | undefined
  #failing = false
  #stopped = false

  constructor(options: DnsDiscoveryOptions) {
    this.#options = options
    this.#url = new URL(peerAddress(options.name))
  }

  found(): readonly Found[] {
    return this.#found
  }

  start(onResponse: () => void): void {
    void this.#ask(onResponse)
  }

  stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    return Promise.resolve()
  }

  async #ask(onResponse: () => void): Promise<void> {
    const { clock, log, resolve = resolveAll } = this.#options
    try {
      const addresses = await resolve(this.#url.hostname)
      this.#failing = false
      this.#found = [...new Set(addresses)].map(address => ({ address: this.#at(address) }))
      if (!this.#stopped) onResponse()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!this.#failing)
        log.warn('the DNS name of the replicas could not be resolved', {
          host: this.#url.hostname,
          code,
          err: error,
        })
      this.#failing = true
    }
    if (!this.#stopped) this.#timer = clock.after(INTERVAL_MS, () => void this.#ask(onResponse))
  }

  #at(address: string): string {
    const { protocol, port } = this.#url
    const host = address.includes(':') ? `[${address}]` : address
    return peerAddress(`${protocol}//${host}${port === '' ? '' : `:${port}`}`)
  }
}

async function resolveAll(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}
