// The lines of one service: what can take a stream now, and who holds the streams that are open. The lines are the line
// picker's to add and remove; this file does not choose among them.

import { ClientShares } from '@vera-stack/shared/client-shares.ts'
import { type Line, sameProcess } from '../../registry/line.ts'
import type { Upstream } from '../../registry/upstream.ts'

/** The owner of a stream of a service. */
export interface StreamHolder {
  /** The client that the stream is for; empty: not known. */
  readonly client: string
  /** Its place among the holders of the pool; kept by the picker alone. */
  poolSlot: number
}

/** A line with the way to it. The caller keeps it to say what it tried, and to give the stream back. */
export interface Candidate {
  line: Line
  readonly upstream: Upstream
  readonly pool: LinePool
  /** The tunnel ends on this replica. */
  readonly local: boolean
  /** Streams that were acquired and not released. */
  active: number
  /** For round robin: the credit of smooth weighted turns. */
  turn: number
}

/** The lines of one service. */
export interface LinePool {
  /** Changes with the name of the service. */
  service: string
  readonly candidates: Candidate[]
  /** Of all streams that are open. An array, not a Set, because it changes with every request: see Deadlines. */
  readonly holders: StreamHolder[]
  /** Of the streams that the policy allows, by client. */
  readonly shares: ClientShares
  /** Those of the candidates whose tunnel ends here. */
  readonly locals: Candidate[]
  /** Where the next scan starts, so that equals take turns. */
  cursor: number
}

function takesTraffic(line: Line): boolean {
  return line.health === 'up' && line.weight > 0
}

/** The line takes traffic, and there is a way to it. It may be at its limit. */
export function isThere({ line, upstream }: Candidate): boolean {
  return takesTraffic(line) && upstream.reachable !== false
}

/** The line takes a stream of this client now. */
export function canTake(candidate: Candidate, client: string): boolean {
  const { upstream } = candidate
  return isThere(candidate) && upstream.canOpen && upstream.hasRoomFor?.(client) !== false
}

/** A pool without lines. */
export function newPool(service: string, clientSharePercent: number): LinePool {
  const holders: StreamHolder[] = []
  const shares = new ClientShares(clientSharePercent, () => holders.map(({ client }) => client))
  return { service, candidates: [], locals: [], holders, shares, cursor: 0 }
}

/** A stream of the pool was opened. */
export function addHolder(pool: LinePool, holder: StreamHolder): void {
  holder.poolSlot = pool.holders.push(holder) - 1
  pool.shares.add(holder.client)
}

/** It is over. */
export function removeHolder({ holders, shares }: LinePool, holder: StreamHolder): void {
  shares.remove(holder.client)
  const last = holders.pop() as StreamHolder
  if (last === holder) return
  holders[holder.poolSlot] = last
  last.poolSlot = holder.poolSlot
}

/** Some of its lines are on other replicas. */
export function isShared({ candidates, locals }: LinePool): boolean {
  return locals.length < candidates.length
}

/** The lines of the process behind this one, itself included. */
export function linesOfProcess({ line, pool }: Candidate): Candidate[] {
  return pool.candidates.filter(candidate => sameProcess(candidate.line, line))
}
