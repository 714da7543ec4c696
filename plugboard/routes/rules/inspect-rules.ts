// The inspector of a service (`inspect`): until when, and which part of its requests, Plugboard keeps exchanges in memory.

import { z } from 'zod'

/** The longest time for which an inspector runs, so that a forgotten one stops. */
export const MAX_INSPECT_MS = 24 * 3600 * 1000
/** The clocks of the writer and of the replicas may differ by this time. */
export const INSPECT_SKEW_MS = 5 * 60 * 1000

const maskedPath = z
  .string()
  .max(200)
  .regex(
    /^(?:\/(?:[^/~]|~[01])+)+$/,
    'is not a path: begin with /, such as /card/number; * stands for each member and element: /items/*/price',
  )
  .meta({ example: '/card/number' })

export const inspectSchema = z.strictObject({
  until: z.iso.datetime({ offset: true, error: 'is not a time, such as 2026-12-01T12:00:00Z' }).meta({
    description: 'Capture stops at this time, at most 24 h from now.',
  }),
  sample: z
    .number()
    .min(0.0001)
    .max(1)
    .default(1)
    .meta({ description: 'The part of the requests that is captured, such as 0.1.' }),
  maxBodyBytes: z
    .int()
    .min(0)
    .max(262_144)
    .default(65_536)
    .meta({ description: 'Bytes that are kept of each body.' }),
  maskJson: z
    .array(maskedPath)
    .max(32)
    .default([])
    .meta({ description: 'Further values of JSON bodies that are masked, as JSON pointers with `*`.' }),
})
export type InspectRules = z.output<typeof inspectSchema>

/** Checks the end of an inspector that is to be written now. Returns the problem, or undefined for a valid end. */
export function inspectUntilProblem(until: string, nowMs: number): string | undefined {
  const leftMs = Date.parse(until) - nowMs
  if (leftMs > MAX_INSPECT_MS + INSPECT_SKEW_MS)
    return 'is more than 24 h from now; an inspector runs for at most 24 h'
  return leftMs <= 0 ? 'has passed; name a time within the next 24 h' : undefined
}

/** True while the inspector captures requests. */
export function isInspected({ until }: InspectRules, nowMs: number): boolean {
  const leftMs = Date.parse(until) - nowMs
  return leftMs > 0 && leftMs <= MAX_INSPECT_MS + INSPECT_SKEW_MS
}
