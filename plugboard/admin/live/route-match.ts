// Finds the route and the service for a URL, the response of Plugboard itself, the lines that could take the request, and the
// last failure of the service. A dry run of the public port decides, so its rules exist only once. Works without the database.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { DirectoryRoute, DirectoryService } from '../../routes/directory.ts'
import { nearMisses } from '../../routes/near-misses.ts'
import { allows } from '../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { MAX_MATCH_LINES, type MatchBody, matchSchema } from '../bodies/route-match.ts'
import { json, operation } from '../http/openapi.ts'
import { newestError } from './cluster-view.ts'
import { rulesOf } from './match-rules.ts'
import { outageOf } from './service-outages.ts'

const MAX_FIELDS = 50
/** Characters of one field. */
const MAX_FIELD = 8192
/** A credential must not be in a URL, because logs and histories store URLs. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])

const anyCase = (name: string): string =>
  name.replaceAll(/[a-z]/g, letter => `[${letter.toUpperCase()}${letter}]`)

const FIELD = "[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*"
const FIELD_LINE = new RegExp(`^${FIELD}$`)
const FORBIDDEN = ['host', ...CREDENTIALS].map(anyCase).join('|')

const fieldText = z
  .string()
  .max(MAX_FIELD)
  .superRefine((line, context) => {
    const message = fieldProblem(line)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

const headerFields = z
  .preprocess(value => (Array.isArray(value) ? value : [value]), z.array(fieldText).max(MAX_FIELDS))
  .optional()
  .openapi({
    type: 'array',
    items: {
      type: 'string',
      maxLength: MAX_FIELD,
      pattern: `^(?!(?:${FORBIDDEN}):)${FIELD}$`,
      example: 'Origin: https://shop.example.com',
    },
    maxItems: MAX_FIELDS,
    description:
      'A header field of the request, as `Name: value`. Repeat the parameter for further fields. Host and credentials are ' +
      'not allowed.',
  })

/** An IPv4 or IPv6 address. */
const addressText = z
  .string()
  .regex(new RegExp(`${z.core.regexes.ipv4.source}|${z.core.regexes.ipv6.source}`), 'is not an IP address')

const matchOperation = operation(
  { permission: 'routes:read', fails: ['overloaded'] },
  {
    method: 'get',
    path: '/v1/match',
    operationId: 'matchRequest',
    tags: ['routes'],
    summary: 'Find the route and the service for a URL, and the reason of a failure',
    description:
      'Plugboard sends no request. For a key without the scope `status:read`, the response has no lines, no outage and no ' +
      'last error.',
    request: {
      query: z.strictObject({
        host: z.string().min(1).max(300).openapi({ example: 'app.example.com' }),
        path: z
          .string()
          .regex(/^\/[\x21-\x7e]*$/, 'must begin with /, and must have ASCII characters only and no blanks')
          .max(8192)
          .default('/')
          .openapi({ example: '/api/orders?page=2', description: 'Path and query, as a client sends them.' }),
        scheme: z.enum(['http', 'https']).default('http'),
        method: z
          .string()
          .regex(/^[A-Z]{1,20}$/, 'must have capital letters only')
          .default('GET')
          .openapi({ example: 'POST' }),
        address: addressText.optional().openapi({
          example: '203.0.113.7',
          description: 'The address of the client. Default: the address that sends this request.',
        }),
        header: headerFields,
      }),
    },
    responses: { 200: json(matchSchema, 'The decision about such a request.') },
  },
)

export function addMatchOperation(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  app.openapi(matchOperation, async c => {
    const { host, path, scheme, method, address, header } = c.req.valid('query')
    const clientAddress = address ?? c.env?.incoming?.socket.remoteAddress ?? '127.0.0.1'
    const request = { host, target: path, scheme, method, clientAddress, fields: fieldsOf(header ?? []) }
    const result = await deps.dryRun(request)
    if (result === undefined) throw new VeraError('overloaded', 'The public port is not open yet. Try again.')
    const { route, response } = result
    const service = route === undefined || route.service.id === '' ? undefined : route.service
    const mayReadStatus = allows(c.get('key').scopes, 'status:read')
    return c.json(
      {
        host: result.host,
        path: result.path,
        outcome: response === undefined ? ('forwarded' as const) : ('responded' as const),
        response: response === undefined ? null : { ...response, ...nulls(response) },
        route: route === undefined ? null : { id: route.id, mount: mountOf(route) },
        nearMisses: nearMisses(deps.directory, result, route).map(miss => ({
          kind: miss.kind,
          route: miss.route === undefined ? null : { id: miss.route.id, mount: mountOf(miss.route) },
          detail: miss.detail,
        })),
        rules:
          route === undefined ? [] : rulesOf(route, { ...request, path: result.path }, deps.clock.wallTime()),
        service: service === undefined ? null : { id: service.id, name: service.name },
        ...(service === undefined || !mayReadStatus ? NO_FACTS : await factsOf(service, deps)),
      },
      200,
    )
  })
}

type Facts = Pick<MatchBody, 'lines' | 'outage' | 'lastError' | 'missingReplicas'>

const NO_FACTS: Facts = {
  lines: { total: 0, serving: 0, items: [] },
  outage: null,
  lastError: null,
  missingReplicas: [],
}

async function factsOf(service: DirectoryService, deps: AdminDependencies): Promise<Facts> {
  const { lines, cluster } = deps
  const all = [...lines.statesOf(service)]
  const { replicas, missing } = await cluster.facts([service.id])
  const served = lines.isServed(service)
  return {
    lines: {
      total: all.length,
      serving: all.filter(({ state }) => state === 'serving').length,
      items: all.slice(0, MAX_MATCH_LINES).map(({ line, state }) => ({
        telephone: line.telephone,
        instance: line.instance,
        replicaId: line.replicaId,
        tunnelId: line.tunnelId,
        health: line.health,
        healthCheck: line.healthCheck === true || line.health === 'down',
        weight: line.weight,
        version: line.version,
        state,
      })),
    },
    outage: served ? null : outageBody(outageOf(service, deps, replicas, missing)),
    lastError: newestError(replicas, service.id) ?? null,
    missingReplicas: missing,
  }
}

const outageBody = ({ reason, since, observed, detail }: ReturnType<typeof outageOf>) => ({
  reason,
  since,
  observed,
  detail,
})

const mountOf = ({ host, mountPath }: DirectoryRoute): string => formatMount({ host, path: mountPath })

const nulls = ({
  code,
  location,
}: {
  readonly code?: string | undefined
  readonly location?: string | undefined
}) => ({
  code: code ?? null,
  location: location ?? null,
})

const fieldsOf = (lines: readonly string[]): string[] =>
  lines.flatMap(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })

/** Returns the problem of a header field; undefined for a field that may be tested. */
function fieldProblem(line: string): string | undefined {
  if (!FIELD_LINE.test(line)) return 'is not a header field: write it as `Name: value`'
  const name = line.slice(0, line.indexOf(':')).toLowerCase()
  if (name === 'host') return 'Host is not allowed here: use the parameter `host`'
  return CREDENTIALS.has(name) ? `leave ${name} out: a URL must not contain a credential` : undefined
}
