// Runs the checks of `plugboard doctor` on this replica. Works without the database, and changes no state.

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { doctorSchema } from '../bodies/check.ts'
import { json, operation } from '../http/openapi.ts'

const doctorOperation = operation(
  { permission: 'status:read' },
  {
    method: 'get',
    path: '/v1/doctor',
    operationId: 'runDoctor',
    tags: ['status'],
    summary: 'Check this Plugboard, its database and its surroundings',
    description:
      'Each check has a time limit of 8 s, and all run at once. The checks change nothing. One of them measures for a second.',
    responses: { 200: json(doctorSchema, 'All checks, sorted by harm.') },
  },
)

export function addDoctorOperation(app: OpenAPIHono<AdminEnv>, { doctor }: AdminDependencies): void {
  app.openapi(doctorOperation, async c => c.json(await doctor(), 200))
}
