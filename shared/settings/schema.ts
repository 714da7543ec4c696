// Durations inside the structured parts of a settings file: the same spelling as everywhere else.

import { z } from 'zod'
import { parseDuration } from './kind.ts'

/** `30s` → milliseconds. */
export const durationSchema = z.union([z.string(), z.number()]).transform((raw, context) => {
  const parsed = parseDuration(raw)
  if (parsed.ok) return parsed.value
  context.addIssue({ code: 'custom', message: parsed.problem })
  return z.NEVER
})
