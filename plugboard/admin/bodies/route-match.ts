// The route, the service and the lines that would take a request. live/route-match.ts creates this body.

import { z } from '@hono/zod-openapi'
import { id, timestamp } from '../http/formats.ts'
import { failureFields } from './failure.ts'
import { missingReplicasSchema } from './replica.ts'

/** Lines that one response lists. */
export const MAX_MATCH_LINES = 100

const matchLineSchema = z.strictObject({
  telephone: z.string(),
  instance: z.string(),
  replicaId: z.string(),
  tunnelId: z.string(),
  health: z.enum(['up', 'down']).openapi({ description: 'The health that the telephone has announced.' }),
  healthCheck: z.boolean().openapi({
    description:
      'false: the telephone checks no health, or its version does not announce the check. Then `up` means only that the ' +
      'tunnel is open.',
  }),
  weight: z.number(),
  version: z.string(),
  state: z.enum(['serving', 'down', 'no_weight', 'ejected', 'unreachable', 'full']).openapi({
    description:
      '`serving`: the line can take a request now; `down`: its health is `down`; `no_weight`: its weight is 0; `ejected`: an operator has ejected its process; ' +
      '`unreachable`: no link leads to its replica; `full`: it has no free stream. The backend is not probed.',
  }),
})

export type MatchLineBody = z.infer<typeof matchLineSchema>

const nearMissSchema = z.strictObject({
  kind: z.enum(['path', 'spelling', 'host']),
  route: z.strictObject({ id, mount: z.string() }).nullable(),
  detail: z.string().openapi({ example: '*.example.com has no mount for /x. It has /api.' }),
})

const matchRuleSchema = z.strictObject({
  rule: z
    .string()
    .openapi({ description: 'The name of the option or the key of the policy.', example: 'access.allow' }),
  of: z.enum(['route', 'service']),
  effect: z.enum(['passes', 'rejects', 'counts', 'demands', 'responds', 'applies']).openapi({
    description:
      '`passes`: the rule lets this request through; `rejects`: it rejects the request; `counts`: a limit counts it; ' +
      '`demands`: the request needs a credential; `responds`: Plugboard itself responds; `applies`: the rule changes the ' +
      'request or its response.',
  }),
  detail: z.string(),
})
export type MatchRuleBody = z.infer<typeof matchRuleSchema>

export const matchSchema = z
  .strictObject({
    host: z
      .string()
      .openapi({ description: 'The host in normal form and without port, as routes are matched.' }),
    path: z.string(),
    outcome: z.enum(['forwarded', 'responded']).openapi({
      description:
        '`forwarded`: Plugboard forwards the request to a line of the service, and the backend may still fail; ' +
        '`responded`: Plugboard itself responds.',
    }),
    response: z
      .strictObject({
        status: z.int(),
        code: z.string().nullable().openapi({ description: 'A code of the error table; null: no error.' }),
        detail: z.string(),
        location: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: 'null: the request is forwarded.' }),
    route: z.strictObject({ id, mount: z.string() }).nullable(),
    nearMisses: z.array(nearMissSchema).openapi({
      description:
        'At most 10 routes and host patterns that almost match, with the reason. With a route: only patterns that are more ' +
        'specific than its own.',
    }),
    rules: z.array(matchRuleSchema).openapi({
      description:
        'The rules of the route and its service that concern this request, in the order in which they are checked.',
    }),
    service: z.strictObject({ id, name: z.string() }).nullable(),
    lines: z.strictObject({
      total: z.int(),
      serving: z.int(),
      items: z.array(matchLineSchema).openapi({ description: `The first ${MAX_MATCH_LINES}.` }),
    }),
    outage: z
      .strictObject({ reason: z.string(), since: timestamp, observed: z.boolean(), detail: z.string() })
      .nullable()
      .openapi({
        description: 'Why no line takes requests. null: a line takes requests, or the route has no service.',
      }),
    lastError: z
      .strictObject({
        ...failureFields,
        replicaId: z.string(),
      })
      .nullable()
      .openapi({
        description:
          'The newest failed request of the service. null: no request has failed since the replicas started.',
      }),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('Match')
export type MatchBody = z.infer<typeof matchSchema>
