// The sources of addresses of other replicas. A source returns addresses, some with a record, and keeps its last result while
// it fails. Only a dial shows whether a replica is at an address, and which one. All addresses of all sources are dialled.

import type { ReplicaRecord } from '../../common/replica-record.ts'

export interface Found {
  readonly address: string
  /** Only some sources have records. */
  readonly record?: ReplicaRecord | undefined
}

export interface Discovery {
  readonly source: 'postgres' | 'static' | 'dns'
  /** Returns the last result, even while the source fails. */
  found(): readonly Found[]
  /** Starts the source. It calls `onResponse` after each result, changed or not. */
  start(onResponse: () => void): void
  /** Stops the source, and removes the record of this replica from it. */
  stop(): Promise<void>
}

/** Returns a source with a fixed list. The list may contain our own address; the dial detects it. */
export function staticDiscovery(addresses: readonly string[]): Discovery {
  const found = addresses.map(address => ({ address: peerAddress(address) }))
  return {
    source: 'static',
    found: () => found,
    start: onResponse => onResponse(),
    stop: () => Promise.resolve(),
  }
}

/** Converts `host:port` or a URL to a URL without a path. Throws TypeError for any other text. */
export function peerAddress(text: string): string {
  const url = new URL(/^https?:\/\//i.test(text) ? text : `http://${text}`)
  return url.origin
}
