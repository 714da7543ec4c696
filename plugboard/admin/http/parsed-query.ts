// The query of a request whose handler checks it: event streams, and operations with a body that arrives as a stream.

import type { z } from '@hono/zod-openapi'
import { validationError } from './problem.ts'

/** Throws the error with all wrong parameters. `queries`: the values of each parameter. */
export function parsedQuery<Schema extends z.ZodType>(
  schema: Schema,
  queries: Readonly<Record<string, readonly string[]>>,
): z.output<Schema> {
  // A parameter that is sent twice stays a list, which no schema accepts.
  const single = Object.entries(queries).map(([name, values]) => [
    name,
    values.length > 1 ? values : values[0],
  ])
  const parsed = schema.safeParse(Object.fromEntries(single))
  if (!parsed.success) throw validationError('query', parsed.error.issues)
  return parsed.data
}
