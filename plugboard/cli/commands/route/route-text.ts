// Renders cells of a route for the tables of `plugboard route list` and `prune`.

import type { RouteBody } from '../../../admin/api-types.ts'
import { durationText, relative } from '../../output/output.ts'

/** Returns the time for which Plugboard keeps the route after its last tunnel; empty when no telephone has claimed the route. */
export function claimOf({ claimedBy, lifetimeSeconds }: RouteBody): string {
  if (claimedBy === null) return ''
  return lifetimeSeconds === null ? 'permanent' : `kept for ${durationText(lifetimeSeconds)}`
}

/** Returns the time of the last request, such as `3m ago by laptop-web`. */
export function lastRequestOf({ lastRequestAt, lastTelephone }: RouteBody, now: number): string {
  const by = lastTelephone === null ? '' : ` by ${lastTelephone}`
  return `${relative(lastRequestAt, now)}${by}`
}
