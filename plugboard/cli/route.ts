// `plugboard route …`

import type { Command } from 'commander'
import { ApiError } from './api-client.ts'
import { type ApiCommand, apiAction, type CliContext, examples, segment } from './api-command.ts'
import { CliError, usageError } from './cli-error.ts'
import { keyValuesText } from './key-values.ts'
import type { Column } from './output.ts'
import { changeRow, IF_MATCH, type IfMatch, removeRow } from './row-change.ts'
import type { RouteRow } from './rows.ts'

const COLUMNS: readonly Column<RouteRow>[] = [
  { title: 'mount', value: row => row.mount },
  { title: 'service', value: row => row.service },
  { title: 'options', value: row => keyValuesText(row.options) },
  { title: 'claimed', value: row => (row.claimedBy === null ? '' : 'by a telephone') },
  { title: 'version', value: row => row.version },
  { title: 'id', value: row => row.id },
]
const DETAILS: readonly Column<RouteRow>[] = [
  { title: 'mount', value: row => row.mount },
  { title: 'service', value: row => row.service },
  { title: 'options', value: row => keyValuesText(row.options) },
  { title: 'claimed by token', value: row => row.claimedBy },
  { title: 'version', value: row => row.version },
  { title: 'id', value: row => row.id },
  { title: 'created', value: row => row.createdAt },
  { title: 'updated', value: row => row.updatedAt },
  { title: 'deleted', value: row => row.deletedAt },
]

interface RouteFlags {
  readonly stripMount?: boolean
  /** False: `--no-tenant-header`. */
  readonly tenantHeader?: string | false
}

const TENANT_HEADER = [
  '--tenant-header <name>',
  'tell the backend in this field what the * of the host stands for',
] as const

export function defineRoute(route: Command, context: CliContext): void {
  const add = route
    .command('add <mount>')
    .description('add a route: requests for this host and path go to a service')
    .requiredOption('-s, --service <name>', 'the service')
    .option('--create-service', 'make the service when there is none of this name')
    .option('--strip-mount', 'the backend sees the path without the mount')
    .option(...TENANT_HEADER)
  examples(
    add,
    'route add app.localhost/api --service shop --create-service',
    "route add '*.example.com' --service tenants --tenant-header X-Tenant",
  )
  apiAction(add, context, addRoute)

  const list = route
    .command('list')
    .alias('ls')
    .description('list routes')
    .option('--host <pattern>', 'only this host pattern')
    .option('-s, --service <name>', 'only routes to this service')
    .option('--deleted', 'deleted routes too')
  examples(list, 'route list', 'route list --service shop --output json')
  apiAction(list, context, async ({ api, output, options }: ApiCommand<ListOptions>) => {
    const { host, service, deleted } = options
    const rows = await api.list<RouteRow>('/v1/routes', { host, service, includeDeleted: deleted })
    await output.rows(rows, COLUMNS, 'No routes. Add one: plugboard route add app.localhost --service <name>')
  })

  const show = route.command('show <mount|id>').description('show one route')
  examples(show, 'route show app.localhost/api')
  apiAction(show, context, async ({ api, output }: ApiCommand<unknown>, id: string) => {
    const row = await api.get<RouteRow>(`/v1/routes/${segment(id)}`, { includeDeleted: true })
    await output.row(row, DETAILS)
  })

  const set = route
    .command('set <mount|id>')
    .description('change a route; requests under way finish as they began')
    .option('--mount <mount>', 'move it to another host or path')
    .option('-s, --service <name>', 'send it to another service')
    .option('--strip-mount', 'the backend sees the path without the mount')
    .option('--no-strip-mount', 'the backend sees the whole path')
    .option(...TENANT_HEADER)
    .option('--no-tenant-header', 'do not tell it')
    .option(...IF_MATCH)
  examples(
    set,
    'route set app.localhost/api --service shop-v2',
    'route set app.localhost/api --mount app.localhost/v2',
  )
  apiAction(set, context, setRoute)

  const rm = route
    .command('rm <mount|id...>')
    .description('delete routes')
    .option(...IF_MATCH)
  examples(rm, 'route rm app.localhost/api')
  apiAction(rm, context, async (call: ApiCommand<IfMatch>, ids: readonly string[]) => {
    for (const id of ids) {
      const row = await removeRow<RouteRow>(call, `/v1/routes/${segment(id)}`)
      await call.output.done(row, `route ${row.mount} deleted`)
    }
  })
}

interface ListOptions {
  readonly host?: string
  readonly service?: string
  readonly deleted?: boolean
}

async function addRoute(
  { api, output, options }: ApiCommand<RouteFlags & { service: string; createService?: boolean }>,
  mount: string,
): Promise<void> {
  const { service, createService = false } = options
  if (createService) {
    try {
      await api.request('POST', '/v1/services', { body: { name: service } })
      output.note(`service ${service} added`)
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'conflict')) throw error
    }
  }
  const body = { mount, service, ...routeOptions(options) }
  try {
    const { body: row } = await api.request<RouteRow>('POST', '/v1/routes', { body })
    await output.done(row, `route ${row.mount} → ${row.service} added`)
  } catch (error) {
    const noService = error instanceof ApiError && error.message.includes('service') && !createService
    if (!noService || (error.code !== 'not_found' && error.code !== 'invalid_request')) throw error
    throw new CliError(`${error.message} (--create-service makes it)`, { cause: error })
  }
}

async function setRoute(
  call: ApiCommand<RouteFlags & IfMatch & { mount?: string; service?: string }>,
  id: string,
): Promise<void> {
  const { mount, service } = call.options
  const options = routeOptions(call.options)
  if (mount === undefined && service === undefined && options.options === undefined) {
    throw usageError('nothing to change: give --mount, --service, --strip-mount or --tenant-header')
  }
  const body = { mount, service, ...options }
  const row = await changeRow<RouteRow>(call, `/v1/routes/${segment(id)}`, body)
  await call.output.done(row, `route ${row.mount} → ${row.service} changed (version ${row.version})`)
}

/** What the flags say of the route's options; null goes back to the default. */
function routeOptions({ stripMount, tenantHeader }: RouteFlags): { options?: Record<string, unknown> } {
  const options = {
    ...(stripMount === undefined ? {} : { stripMount }),
    ...(tenantHeader === undefined ? {} : { tenantHeader: tenantHeader === false ? null : tenantHeader }),
  }
  return Object.keys(options).length === 0 ? {} : { options }
}
