// Where other replicas may be. A source says addresses, and what else it knows; it keeps its last answer while it
// cannot ask. Whether a replica is there, and who it is, shows when it is dialled. Sources are combined: what any of
// them names is dialled.

import type { ReplicaRecord } from '../../common/replica-record.ts'

export interface Found {
  readonly address: string
  /** Known of some sources. */
  readonly record?: ReplicaRecord | undefined
}

export interface Discovery {
  readonly source: 'postgres' | 'static' | 'dns'
  /** What it last heard, also while it cannot ask. */
  found(): readonly Found[]
  /** Begins to ask. `onAnswer`: there is an answer, the same as before or another. */
  start(onAnswer: () => void): void
  /** Stops asking, and takes away what it has said of us. */
  stop(): Promise<void>
}

/** A fixed list. Our own address may be in it: it is recognised when it is dialled. */
export function staticDiscovery(addresses: readonly string[]): Discovery {
  const found = addresses.map(address => ({ address: peerAddress(address) }))
  return {
    source: 'static',
    found: () => found,
    start: onAnswer => onAnswer(),
    stop: () => Promise.resolve(),
  }
}

/** `host:port` or a URL, as a URL without a path. Throws TypeError when it is neither. */
export function peerAddress(text: string): string {
  const url = new URL(/^https?:\/\//i.test(text) ? text : `http://${text}`)
  return url.origin
}
