// Objects whose keys are foreign text: claims, fields, labels.

import { z } from 'zod'

/** `z.record`, but an object with the key `__proto__` is refused: zod leaves that key out without a word. */
export function recordOf<Key extends z.ZodType<string, string>, Value extends z.ZodType>(
  key: Key,
  value: Value,
) {
  return z.preprocess(
    (input, context) => {
      if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
        context.addIssue({ code: 'custom', path: ['__proto__'], message: 'is no name that can be used here' })
      }
      return input
    },
    z.record(key, value),
  )
}
