// The flags of `plugboard service set` that turn the inspector of a service on and off.

import { parseDuration } from '@vera-stack/shared/settings/kind.ts'
import type { Command } from 'commander'
import { collect } from '../../api/api-command.ts'
import { usageError } from '../../cli-error.ts'

export interface InspectFlags {
  /** False: --no-inspect. */
  readonly inspect?: string | false
  readonly inspectMask?: readonly string[]
}

export function addInspectFlags(command: Command): void {
  command
    .option('--inspect <duration>', 'capture requests with their responses for this time, at most 24h')
    .option('--no-inspect', 'stop the inspector; captured exchanges stay for up to 24h')
    .option(
      '--inspect-mask <path>',
      'with --inspect: also mask this value of JSON bodies, such as /card/number; several times',
      collect,
    )
}

/** Returns the value of `inspect` for the policy; undefined: there are no flags. */
export function givenInspector(
  { inspect, inspectMask }: InspectFlags,
  nowMs: number,
): object | null | undefined {
  if (inspect === undefined || inspect === false) {
    if (inspectMask !== undefined) throw usageError('--inspect-mask needs --inspect')
    return inspect === false ? null : undefined
  }
  const duration = parseDuration(inspect)
  if (!duration.ok) throw usageError(`--inspect: ${duration.problem}`)
  if (duration.value > 86_400_000)
    throw usageError(`--inspect: ${inspect} is longer than 24h; use a shorter time`)
  const until = new Date(nowMs + duration.value).toISOString()
  return { until, ...(inspectMask === undefined ? {} : { maskJson: inspectMask }) }
}
