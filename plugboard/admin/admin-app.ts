// The admin API as one application: the middleware of all requests, then the operations by topic. The OpenAPI document that it
// serves describes all operations. admin-server.ts opens the port.

import { OpenAPIHono } from '@hono/zod-openapi'
import { ERRORS, VeraError } from '@vera-stack/shared/errors.ts'
import { SECURE_SESSION_COOKIE, SESSION_COOKIE } from '../common/http/session-cookie.ts'
import type { Phase } from '../common/phase.ts'
import { authenticate } from './access/authenticate.ts'
import { requestGuard } from './access/request-guard.ts'
import type { AdminDependencies, AdminEnv } from './admin-env.ts'
import { addBundleOperation } from './bundle/bundle-operation.ts'
import { BUNDLE_PATH } from './bundle/bundle-path.ts'
import { addDashboardPages } from './dashboard/dashboard-pages.ts'
import { AllowedMethods } from './http/allowed-methods.ts'
import { boundedBody } from './http/bounded-body.ts'
import { EventStreams, endStreamOfHead } from './http/event-streams.ts'
import { problemResponse, validationError } from './http/problem.ts'
import { addIndexPage } from './index-page.ts'
import { addClusterOperations } from './live/cluster/cluster-status.ts'
import { addDoctorOperation } from './live/doctor.ts'
import { addExchangeOperations, ExchangeAccess } from './live/exchanges/exchanges.ts'
import { addReplayOperation } from './live/exchanges/replay.ts'
import { addHealth } from './live/health.ts'
import { addMetricsOperation } from './live/metrics.ts'
import { addEjectionOperations } from './live/policy/ejections.ts'
import { addLimitOperations } from './live/policy/limits.ts'
import { addProcessOperations } from './live/policy/processes.ts'
import { addRequestOperations } from './live/requests/requests.ts'
import { addMatchOperation } from './live/route-match.ts'
import { addOutageOperations } from './live/service-outages.ts'
import { addStatusOperations } from './live/status.ts'
import { addTelephoneOperations } from './live/telephones.ts'
import { addTrafficOperations } from './live/traffic/traffic.ts'
import { addTunnelEventOperations } from './live/tunnels/tunnel-events.ts'
import { addReferencePage } from './reference/reference-page.ts'
import { addChangeOperations } from './resources/changes/changes.ts'
import { addUndoOperation } from './resources/changes/undo.ts'
import { addKeyOperations } from './resources/credentials/keys.ts'
import { addJwks, addSigningKeyOperations } from './resources/credentials/signing-keys.ts'
import { addTokenOperations } from './resources/credentials/tokens.ts'
import { addOverrideOperations } from './resources/overrides.ts'
import { addRouteOperations } from './resources/routes/routes.ts'
import { addServiceOperations } from './resources/services.ts'
import { addSessionOperations } from './session/session-operations.ts'
import { liveBeforeResponse } from './writes/live-before-response.ts'

const MAX_BODY_BYTES = 256 * 1024

/** Topics of the document. */
const TAGS: readonly (readonly [name: string, description: string])[] = [
  ['routes', 'Routes from a host and a path to a service, with rules for the requests.'],
  ['services', 'Named pools of backends, with the policy for their traffic.'],
  ['bundle', 'All services and routes in one document and one transaction.'],
  ['tokens', 'Credentials of telephones, with the services and mounts that each may serve.'],
  ['keys', 'API keys: the credentials of this API.'],
  ['session', 'Sessions of the dashboard, which are cookies of a browser.'],
  ['signing keys', 'The keys that sign tokens.'],
  [
    'changes',
    'The audit log: each change and its author, as a list and as an event stream. Changes can be undone.',
  ],
  ['status', 'Telephones, replicas and traffic at this moment.'],
  ['requests', 'Requests that failed or were slow, with their reasons, and the live log.'],
  [
    'exchanges',
    'Requests with their responses that the inspector of a service has captured, with masked secrets.',
  ],
  ['health', 'Probes of supervisors and load balancers. They need no credential.'],
]

export interface AdminApp {
  /** Resolves with the response. `env`: the connection, when a listener received the request. Never rejects. */
  fetch(request: Request, env?: AdminEnv['Bindings']): Promise<Response>
  /** The OpenAPI 3.1 document. */
  document(): object
  /** Ends the event streams. */
  stop(): void
}

export function createAdminApp(deps: AdminDependencies): AdminApp {
  const app = new OpenAPIHono<AdminEnv>({
    defaultHook: result => {
      if (!result.success) throw validationError(result.target, result.error.issues)
    },
  })
  const stopping = new AbortController()
  const live = { streams: new EventStreams(deps.maxEventStreams), stopping: stopping.signal }
  const allowed = new AllowedMethods(app)

  app.onError((error, c) => problemResponse(withEffect(error, deps.phase()), c))
  const { log, allowedHosts, embeddingOrigins = new Set() } = deps
  app.use(requestGuard({ log, allowedHosts, embeddingOrigins }))
  addIndexPage(app, deps)
  addHealth(app, deps)
  addJwks(app, deps)
  // The document is public, because the source code is public too.
  app.get('/openapi.json', c => c.json(document()))
  addReferencePage(app)
  addDashboardPages(app)
  // Only the routes below require a credential.
  const authenticated = authenticate(deps)
  app.use('/v1/*', authenticated)
  app.use('/metrics', authenticated)
  app.use('/v1/*', allowed.literalFirst)
  app.use('/v1/*', endStreamOfHead)
  app.use('/v1/*', boundedBody(MAX_BODY_BYTES, BUNDLE_PATH))
  app.use('/v1/*', liveBeforeResponse(deps))
  addSessionOperations(app, deps)
  addRouteOperations(app, deps)
  addMatchOperation(app, deps)
  addServiceOperations(app, deps)
  addOverrideOperations(app, deps)
  addBundleOperation(app, deps)
  addTokenOperations(app, deps)
  addKeyOperations(app, deps)
  addSigningKeyOperations(app, deps)
  addChangeOperations(app, deps, live)
  addUndoOperation(app, deps)
  addStatusOperations(app, deps)
  addClusterOperations(app, deps)
  addDoctorOperation(app, deps)
  addOutageOperations(app, deps)
  addEjectionOperations(app, deps)
  addLimitOperations(app, deps)
  addProcessOperations(app, deps)
  addTelephoneOperations(app, deps)
  addTunnelEventOperations(app, deps)
  addMetricsOperation(app, deps)
  addRequestOperations(app, deps, live)
  const access = new ExchangeAccess(deps)
  addExchangeOperations(app, deps, access, live)
  addReplayOperation(app, deps, access)
  addTrafficOperations(app, deps, live)
  app.notFound(allowed.notFound)

  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'An admin key: `Authorization: Bearer vsk_…`.',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: SESSION_COOKIE,
    description: `A session of the dashboard. With https, the name of the cookie is \`${SECURE_SESSION_COOKIE}\`.`,
  })
  let made: object | undefined
  function document(): object {
    made ??= app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Plugboard admin API',
        version: deps.version,
        description:
          'Routes, services, tokens and keys of a Plugboard. Rows have an ETag; a change or deletion of a row needs ' +
          'If-Match. Errors are problem details (RFC 9457) with a `code`.',
        license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      },
      servers: [{ url: '/' }],
      tags: TAGS.map(([name, description]) => ({ name, description })),
    })
    return made
  }

  return {
    fetch: async (request, env) => app.fetch(request, env),
    document,
    stop: () => stopping.abort(),
  }
}

/** Adds to the error of an unavailable database that requests are still served, once the public port is open. */
function withEffect(error: unknown, phase: Phase): unknown {
  if (!(error instanceof VeraError) || error.code !== 'database_unavailable' || phase === 'loading')
    return error
  const { meaning } = ERRORS[error.code]
  return new VeraError(error.code, `${meaning} Plugboard serves requests with the routes in its memory.`, {
    cause: error.cause,
  })
}
