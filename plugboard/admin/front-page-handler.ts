// `/` of the admin port: a page for people or a small index for programs, selected by Accept. It needs no credential. So it shows
// figures only to a browser on the same machine that uses a loopback address. The page changes no state.

import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import type { Context } from 'hono'
import { prefersHtml } from '../common/http/prefers-html.ts'
import { isLoopback } from './access/loopback.ts'
import { hostnameOf } from './access/request-guard.ts'
import type { AdminDependencies, AdminEnv } from './admin-env.ts'
import { FRONT_PAGE_POLICY, type FrontPageContent, frontPage } from './front-page-html.ts'
import { json, problems } from './http/openapi.ts'
import { unservedServices } from './live/service-outages.ts'

/** The default of the command line's `--url`. */
const DEFAULT_ADMIN_URL = 'http://127.0.0.1:4001'
const STATUS_TEXT = 'Show the state of this Plugboard, and the services without a backend'
const TEST_TEXT = 'Show the route for a URL, and why a request would fail'

const LINKS = {
  reference: '/reference',
  openapi: '/openapi.json',
  ready: '/readyz',
  live: '/livez',
  jwks: '/.well-known/jwks.json',
} as const

const indexSchema = z
  .strictObject({
    name: z.literal('plugboard'),
    version: z.string(),
    status: z.enum(['loading', 'ready', 'recovering', 'draining']),
    links: z.strictObject({
      reference: z.string(),
      openapi: z.string(),
      ready: z.string(),
      live: z.string(),
      jwks: z.string(),
    }),
  })
  .openapi('Index')

export function addFrontPage(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/',
    operationId: 'index',
    tags: ['health'],
    summary: 'Describe this server: a page for browsers, an index for programs',
    security: [],
    responses: {
      200: {
        ...json(indexSchema, 'By Accept; JSON is the default.'),
        content: {
          ...json(indexSchema, '').content,
          'text/html': { schema: z.string() },
        },
      },
      ...problems('forbidden'),
    },
  })
  app.get('/', c => {
    c.header('Vary', 'Accept')
    if (!prefersHtml(c.req.header('accept'))) {
      return c.json({ name: 'plugboard', version: deps.version, status: deps.phase(), links: LINKS })
    }
    c.header('Content-Security-Policy', FRONT_PAGE_POLICY)
    return c.html(pageFor(c, deps))
  })
}

function pageFor(c: Context<AdminEnv>, deps: AdminDependencies): string {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  const url = `${new URL(c.req.url).protocol}//${host}`
  const local = isLoopback(c.env?.incoming?.socket.remoteAddress ?? '') && isLoopbackName(hostnameOf(host))
  const publicUrl = local ? deps.plugboardUrl() : undefined
  return frontPage({
    version: deps.version,
    state: deps.phase(),
    figures: local ? figuresOf(deps) : undefined,
    commands: local ? localCommands(deps, url) : remoteCommands(url),
    links: [
      ...(publicUrl === undefined ? [] : [[publicUrl, 'The public port'] as const]),
      ['/dashboard/', 'The dashboard: traffic, routes, services and telephones'],
      [LINKS.reference, 'The API, as a page with a form for each operation'],
      [LINKS.openapi, 'The API, as an OpenAPI 3.1 document'],
      [LINKS.ready, 'Readiness, for load balancers'],
      [LINKS.live, 'Liveness, for supervisors'],
      [LINKS.jwks, 'The public keys of tokens (JWKS)'],
    ],
  })
}

type Commands = FrontPageContent['commands']

/** Returns commands that a user can copy into a shell on this machine, in any folder. */
function localCommands({ files, plugboardUrl }: AdminDependencies, url: string): Commands {
  const plugboard = ownCommand('plugboard')
  const flags = [
    ...(url === DEFAULT_ADMIN_URL ? [] : ['--url', shellQuoted(url)]),
    '--data',
    shellQuoted(files.data),
  ].join(' ')
  const keyFile = shellQuoted(files.adminKey)
  return [
    [STATUS_TEXT, `${plugboard} status ${flags}`],
    [TEST_TEXT, `${plugboard} route test ${shellQuoted(`${plugboardUrl()}/`)} ${flags}`],
    [
      'Use the API with the key in the data folder',
      `curl -H "Authorization: Bearer $(cat ${keyFile})" ${shellQuoted(`${url}/v1/routes`)}`,
    ],
  ]
}

/** Returns commands without paths and addresses of this machine, because other machines must not see these. */
function remoteCommands(url: string): Commands {
  const flag = `--url ${shellQuoted(url)}`
  return [
    [STATUS_TEXT, `plugboard status ${flag}`],
    [TEST_TEXT, `plugboard route test http://app.example.com/ ${flag}`],
    [
      'Use the API with an API key',
      `curl -H "Authorization: Bearer $PLUGBOARD_API_KEY" ${shellQuoted(`${url}/v1/routes`)}`,
    ],
  ]
}

/** Returns the figures from memory, without a query. */
function figuresOf(deps: AdminDependencies): (readonly [string, string])[] {
  const { directory, replicas } = deps
  const all = replicas.list()
  const sum = (count: (replica: (typeof all)[number]) => number): string =>
    String(all.reduce((total, replica) => total + count(replica), 0))
  return [
    ['Routes', String(directory.routeCount)],
    ['Services', String([...directory.services()].length)],
    ['Services without a line', String([...unservedServices(deps)].length)],
    ['Tunnels of telephones', sum(({ tunnels }) => tunnels)],
    ['Open streams', sum(({ streams }) => streams)],
    ['Replicas', String(all.filter(({ state }) => state !== 'lost').length)],
    ['Database', directory.databaseReachable ? 'reachable' : 'unreachable'],
  ]
}

const isLoopbackName = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || isLoopback(name)
