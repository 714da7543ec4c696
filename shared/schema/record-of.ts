// Schemas of objects whose keys are foreign text: claims, fields, labels.

import { z } from 'zod'

/** Like `z.record`, but refuses an object with the key `__proto__`, because zod silently drops that key. */
export function recordOf<Key extends z.ZodType<string, string>, Value extends z.ZodType>(
  key: Key,
  value: Value,
) {
  return z.preprocess(
    (input, context) => {
      if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
        context.addIssue({ code: 'custom', path: ['__proto__'], message: 'is a name that cannot be used' })
      }
      return input
    },
    z.record(key, value),
  )
}
