// The check of a point that another replica has sent.

import { z } from 'zod'
import type { WirePoint } from './traffic-point.ts'

const count = z.number().min(0)
const ms = z.number().min(0)

export const wirePointSchema: z.ZodType<WirePoint> = z.union([
  z.tuple([count, count, count, count, count, count]),
  z.tuple([count, count, count, count, count, count, ms, ms, ms, ms, ms, ms]),
])
