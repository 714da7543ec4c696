// Cells of a route for the tables of `plugboard route list` and `prune`.

import type { RouteBody } from '../../../admin/api-types.ts'
import { durationText, relative } from '../../output/output.ts'

/** How long Plugboard keeps the route after the last tunnel of its telephones has ended; empty: no telephone has claimed it. */
export function claimOf({ claimedBy, lifetimeSeconds }: RouteBody): string {
  if (claimedBy === null) return ''
  return lifetimeSeconds === null ? 'permanent' : `kept for ${durationText(lifetimeSeconds)}`
}

/** `3m ago by laptop-web` */
export function lastRequestOf({ lastRequestAt, lastTelephone }: RouteBody, now: number): string {
  const by = lastTelephone === null ? '' : ` by ${lastTelephone}`
  return `${relative(lastRequestAt, now)}${by}`
}
