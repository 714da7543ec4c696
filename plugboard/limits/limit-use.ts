// The use of limits at one moment: how many keys of each limit have used a part of their quota, and the keys with the largest part.
// It reads the whole table of keys once, so only the admin API calls it.

import type { CompiledLimit } from './compiled-limits.ts'
import type { LimitKey, LimitTable } from './limit-table.ts'

/** Keys of one limit that a list names. */
export const HOTTEST_KEYS = 10

export interface HotKey {
  readonly key: LimitKey
  /** The used part of the burst. Above 1 after requests to other replicas, or with `count: responseBytes`. */
  readonly used: number
}

export interface LimitUse {
  /** Keys whose quota is not restored yet. */
  readonly keys: number
  /** The keys with the largest used part first. */
  readonly hottest: readonly HotKey[]
}

interface Counted {
  readonly restoreMs: number
  keys: number
  hottest: HotKey[]
}

/** Returns the use of each limit, in the order of the limits. */
export function limitUse(limits: readonly CompiledLimit[], table: LimitTable, nowMs: number): LimitUse[] {
  const counts = limits.map(
    ({ burst, intervalMs }): Counted => ({
      restoreMs: burst * intervalMs,
      keys: 0,
      hottest: [],
    }),
  )
  const byOwner = new Map(limits.map(({ owner }, index) => [owner, counts[index] as Counted]))
  for (let slot = 0; slot < table.size; slot += 1) {
    const aheadMs = table.fullAtMs(slot) - nowMs
    if (aheadMs <= 0) continue
    const counted = byOwner.get(table.ownerOf(slot))
    if (counted === undefined) continue
    counted.keys += 1
    addHotKey(counted, table.keyOf(slot), aheadMs / counted.restoreMs)
  }
  return counts.map(({ keys, hottest }) => ({ keys, hottest }))
}

function addHotKey(counted: Counted, key: LimitKey, used: number): void {
  const { hottest } = counted
  const last = hottest.at(-1)
  if (hottest.length === HOTTEST_KEYS && last !== undefined && used <= last.used) return
  const place = hottest.findIndex(other => other.used < used)
  hottest.splice(place === -1 ? hottest.length : place, 0, { key, used })
  if (hottest.length > HOTTEST_KEYS) hottest.pop()
}
