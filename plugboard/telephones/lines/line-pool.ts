// The lines of one service, with a test for whether a line takes a stream now, and the holders of the open streams.
// line-pools.ts adds and removes the lines. This file does not choose among them.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import { type Line, sameProcess } from '../../registry/line.ts'
import type { Upstream } from '../../registry/upstream.ts'

/** The owner of a stream of a service. */
export interface StreamHolder {
  /** The client of the stream; empty: unknown. */
  readonly client: string
  /** Its index in `holders` of the pool. Only this file changes it. */
  poolSlot: number
}

/** A line with its upstream. The caller keeps it, to pass it in `tried` and to release the stream. */
export interface Candidate {
  line: Line
  readonly upstream: Upstream
  readonly pool: LinePool
  /** True when the tunnel ends on this replica. */
  readonly local: boolean
  /** Number of streams that were acquired and not released. */
  active: number
  /** Credit of the line for smooth weighted round robin. */
  turn: number
}

/** The lines of one service. */
export interface LinePool {
  /** Name of the service. It changes when the service is renamed. */
  service: string
  readonly candidates: Candidate[]
  /** Holders of all open streams. An array instead of a Set, because it changes with every request: see Deadlines. */
  readonly holders: StreamHolder[]
  /** The share of the open streams that each client holds. */
  readonly shares: ClientShares
  /** The candidates whose tunnel ends on this replica. */
  readonly locals: Candidate[]
  /** Start index of the next scan, so that lines with equal load take turns. */
  cursor: number
}

function takesTraffic(line: Line): boolean {
  return line.health === 'up' && line.weight > 0
}

/** Returns true when the line takes traffic and this replica can reach it. The line may be at its stream limit. */
export function isThere({ line, upstream }: Candidate): boolean {
  return takesTraffic(line) && upstream.reachable !== false
}

/** Returns true when the line takes a stream of this client now. */
export function canTake(candidate: Candidate, client: string): boolean {
  const { upstream } = candidate
  return isThere(candidate) && upstream.canOpen && upstream.hasRoomFor?.(client) !== false
}

/** Creates a pool without lines. */
export function newPool(service: string, clientSharePercent: number): LinePool {
  const holders: StreamHolder[] = []
  const shares = new ClientShares(clientSharePercent, () => holders.map(({ client }) => client))
  return { service, candidates: [], locals: [], holders, shares, cursor: 0 }
}

/** Counts an open stream of the pool. */
export function addHolder(pool: LinePool, holder: StreamHolder): void {
  holder.poolSlot = pool.holders.push(holder) - 1
  pool.shares.add(holder.client)
}

/** Removes a stream that has ended. */
export function removeHolder({ holders, shares }: LinePool, holder: StreamHolder): void {
  shares.remove(holder.client)
  const last = holders.pop() as StreamHolder
  if (last === holder) return
  holders[holder.poolSlot] = last
  last.poolSlot = holder.poolSlot
}

/** Returns true when some lines of the pool are on other replicas. */
export function isShared({ candidates, locals }: LinePool): boolean {
  return locals.length < candidates.length
}

/** Returns all lines of the candidate's process in its pool, including the candidate. */
export function linesOfProcess({ line, pool }: Candidate): Candidate[] {
  return pool.candidates.filter(candidate => sameProcess(candidate.line, line))
}
