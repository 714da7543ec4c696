// A telephone with all its tunnels: the API lists each tunnel.

import type { ListedTelephone } from '../../../../admin/api-types.ts'

export interface Telephone {
  readonly name: string
  readonly tunnels: readonly ListedTelephone[]
  /** When its oldest tunnel connected. */
  readonly connectedAt: string
  /** The token that ends first; null: unknown. */
  readonly tokenExpiresAt: string | null
  /** Of its fastest tunnel, ms. */
  readonly rttMs: number | null
  readonly streams: number
  readonly agent: string
}

export function telephonesOf(tunnels: readonly ListedTelephone[]): Telephone[] {
  return [...Map.groupBy(tunnels, ({ name }) => name)].map(([name, all]) => ({
    name,
    tunnels: all,
    connectedAt: earliest(all.map(({ connectedAt }) => connectedAt)) ?? '',
    tokenExpiresAt: earliest(all.flatMap(({ tokenExpiresAt }) => tokenExpiresAt ?? [])),
    rttMs: least(all.flatMap(({ rttMs }) => rttMs ?? [])),
    streams: all.reduce((sum, { streams }) => sum + streams, 0),
    agent: distinct(all.map(({ agent }) => agent)),
  }))
}

/** Returns the number of tunnels on each replica: `replica-1: 1`. */
export function tunnelTexts(tunnels: readonly ListedTelephone[]): string[] {
  const replicas = Map.groupBy(tunnels, ({ replicaId }) => replicaId)
  return [...replicas].map(([id, { length }]) => `${id}: ${length}`).sort()
}

const earliest = (times: readonly string[]): string | null => times.toSorted()[0] ?? null
const least = (values: readonly number[]): number | null => (values.length === 0 ? null : Math.min(...values))
const distinct = (texts: readonly string[]): string => [...new Set(texts)].join(', ')
