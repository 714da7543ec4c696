// The schemas of ids in entries of the change log and in the snapshot file. A row has its id from the database, so text is all
// that a schema checks.

import { z } from 'zod'
import type { RouteId, ServiceId, TokenId } from '../common/ids/row-ids.ts'

const text: unknown = z.string()

export const serviceIdSchema = text as z.ZodType<ServiceId, string>
export const routeIdSchema = text as z.ZodType<RouteId, string>
export const tokenIdSchema = text as z.ZodType<TokenId, string>
