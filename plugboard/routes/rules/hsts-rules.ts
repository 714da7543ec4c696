// Strict-Transport-Security of one route (RFC 6797), in place of the setting for all routes: off, or its own values.

import { z } from 'zod'

const PRELOAD_SECONDS = 31_536_000

export const hstsSchema = z.union([
  z.literal(false),
  z
    .strictObject({
      /** 0 makes browsers delete the stored policy. */
      maxAgeSeconds: z.int().min(0).max(315_360_000),
      includeSubDomains: z.boolean().optional(),
      preload: z.boolean().optional(),
    })
    .refine(
      hsts =>
        hsts.preload !== true || (hsts.includeSubDomains === true && hsts.maxAgeSeconds >= PRELOAD_SECONDS),
      `"preload" needs "includeSubDomains" and a "maxAgeSeconds" of ${PRELOAD_SECONDS} (a year) or more`,
    )
    .meta({
      description: `\`preload\` needs \`includeSubDomains\` and a \`maxAgeSeconds\` of ${PRELOAD_SECONDS} or more.`,
    }),
])
export type HstsRules = z.output<typeof hstsSchema>

/** Returns the value of the field; empty: the field is not sent. */
export function hstsOf(rules: HstsRules): string {
  if (rules === false) return ''
  const { maxAgeSeconds, includeSubDomains, preload } = rules
  return `max-age=${maxAgeSeconds}${includeSubDomains === true ? '; includeSubDomains' : ''}${preload === true ? '; preload' : ''}`
}
