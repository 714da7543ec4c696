// The text that names one route in paths and parameters.

import { parseMount } from '@vera-stack/shared/mounts.ts'
import { isId } from '../../../database/store/values/input.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'

/** Names a route: its id, or its mount. */
export const idOrMount = storedText(1, 1300)
  .superRefine((text, context) => {
    const parsed = parseMount(text)
    if (!isId(text) && !parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem })
  })
  .openapi({
    description: 'The id or the mount of the route. Send each `/` of the mount as `%2F`.',
    example: 'app.example.com/api',
  })
