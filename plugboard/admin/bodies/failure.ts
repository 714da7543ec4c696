// The last failed request of a service (common/service-error.ts), as the API shows it and as replicas send it to each other.

import { z } from '@hono/zod-openapi'
import type { ServiceError } from '../../common/service-error.ts'
import { timestamp } from '../http/formats.ts'

export const failureFields = {
  code: z.string(),
  message: z.string(),
  at: timestamp,
  requestId: z.string(),
  telephone: z.string().nullable(),
} as const
export type FailureBody = z.infer<z.ZodObject<typeof failureFields>>

export const failureBody = ({ atMs, telephone, ...error }: ServiceError): FailureBody => ({
  ...error,
  at: new Date(atMs).toISOString(),
  telephone: telephone ?? null,
})
