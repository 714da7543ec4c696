// Texts that Postgres can store: without NUL and without single surrogates, which UTF-8 cannot represent. The schemas of free
// text use this pattern, so that the error names the field, which an error of the database does not.

import { z } from 'zod'

/** Means the same with the u flag and without, because the OpenAPI document has no flags. */
const STORED_TEXT = /^(?:[^\0\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])*$/

/** Free text of `min` to `max` characters. */
export const storedText = (min: number, max: number, example = 'ada') =>
  z
    .string()
    .min(min)
    .max(max)
    .regex(STORED_TEXT, 'has a NUL character or half of a character')
    .meta({ example })
