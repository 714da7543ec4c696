// The name of a request method in rules of routes and services.

import { z } from 'zod'

/** The schema of one method. */
export const methodName = z
  .string()
  .max(32)
  .regex(/^[A-Z][A-Z-]*$/, 'is not a method in capital letters')
  .meta({ example: 'POST' })

/** Most methods in one rule. */
export const MAX_METHODS = 16
