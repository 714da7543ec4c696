// Durations and sizes inside the structured parts of a settings file: the same spelling as everywhere else.

import { z } from 'zod'
import { type Parsed, parseBytes, parseDuration } from './kind.ts'

function parsedBy(parse: (raw: unknown) => Parsed<number>) {
  return z.union([z.string(), z.number()]).transform((raw, context) => {
    const parsed = parse(raw)
    if (parsed.ok) return parsed.value
    context.addIssue({ code: 'custom', message: parsed.problem })
    return z.NEVER
  })
}

/** `30s` → milliseconds. */
export const durationSchema = parsedBy(parseDuration)
/** `64KiB` → bytes. */
export const bytesSchema = parsedBy(parseBytes)
