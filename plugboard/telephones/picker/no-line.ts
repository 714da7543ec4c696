// Finds and explains why a service has no line that takes a request, for the picker, the access log and the admin API. It runs
// only when a request fails or waits.

import { outageText } from '../../registry/line-outage.ts'
import { isServing } from '../outliers/watched-process.ts'
import { type Candidate, isAvailable, isBelowLimit, type LinePool } from '../pools/line-pool.ts'
import type { PickPolicy } from './pick-request.ts'

/**
 * `service_unhealthy`: the health check of each line fails. `overloaded`: all lines are at their stream limit.
 * `concurrency_limited`: a line has room, but the client holds its share. `exhausted`: all usable lines were tried.
 */
export type NoLine = 'no_telephone' | 'service_unhealthy' | 'overloaded' | 'concurrency_limited' | 'exhausted'

export interface NoLineCause {
  readonly cause: string
  readonly detail: string
}

/** True when there are lines with a weight above 0, and the health check of each of them fails. */
export function isUnhealthy({ candidates }: LinePool): boolean {
  const weighted = candidates.filter(({ process }) => process.fullWeight > 0)
  return weighted.length > 0 && weighted.every(({ line }) => line.health === 'down')
}

/** Returns the available lines of the processes that are not ejected. They may be full. */
export function servingLines({ candidates }: LinePool): readonly Candidate[] {
  return candidates.filter(each => isAvailable(each) && isServing(each.process.watch))
}

/** Returns the reason for a pool with available lines of which no line takes the stream. */
export function whyFull(pool: LinePool, { maxStreamsPerTelephone }: PickPolicy): NoLine {
  const serving = servingLines(pool)
  const lines = serving.length > 0 ? serving : pool.candidates.filter(isAvailable)
  const hasRoom = lines.some(
    ({ upstream, process }) => upstream.canOpen && isBelowLimit(process, maxStreamsPerTelephone),
  )
  return hasRoom ? 'concurrency_limited' : 'overloaded'
}

/** `policy`: the policy of the request; undefined: the policy does not limit streams. */
export function explainNoLine(
  pool: LinePool | undefined,
  why: NoLine,
  service: string,
  policy: PickPolicy | undefined,
): NoLineCause {
  const lines = pool?.candidates.map(({ line }) => line) ?? []
  switch (why) {
    case 'service_unhealthy':
      return { cause: 'health_check_failed', detail: outageText(lines) }
    case 'overloaded':
      return {
        cause: 'stream_limit',
        detail: streamLimitText(pool, service, policy),
      }
    case 'concurrency_limited':
      return {
        cause: 'client_share',
        detail: `The client already holds its share of the streams of service "${service}".`,
      }
    default:
      return noTelephone(pool?.candidates ?? [], service)
  }
}

function streamLimitText(
  pool: LinePool | undefined,
  service: string,
  { maxStreams = null, maxStreamsPerTelephone = null }: Partial<PickPolicy> = {},
): string {
  if (maxStreams !== null && (pool?.holders.length ?? 0) >= maxStreams)
    return `Service "${service}" has ${maxStreams} open streams on this replica, the limit "maxStreams" of its policy.`
  if (
    maxStreamsPerTelephone !== null &&
    pool?.processes.some(({ active }) => active >= maxStreamsPerTelephone)
  )
    return `The telephones of service "${service}" are at the limit "maxStreamsPerTelephone" of its policy: ${maxStreamsPerTelephone} open streams each on this replica.`
  return `All ${pool?.candidates.length ?? 0} lines of service "${service}" are at their limit of streams.`
}

function noTelephone(candidates: readonly Candidate[], service: string): NoLineCause {
  if (candidates.length === 0)
    return { cause: 'not_connected', detail: `No telephone of service "${service}" is connected.` }
  if (candidates.every(({ process }) => process.fullWeight === 0)) {
    const drained = candidates.find(({ process }) => process.override?.weight === 0)?.line.telephone
    const remedy =
      drained === undefined
        ? ''
        : ` An operator has drained ${drained}. To resume it: plugboard process resume ${service} ${drained}`
    return { cause: 'weight_zero', detail: `Every line of service "${service}" has the weight 0.${remedy}` }
  }
  return {
    cause: 'line_unreachable',
    detail: `No line of service "${service}" can be reached from this replica now.`,
  }
}
