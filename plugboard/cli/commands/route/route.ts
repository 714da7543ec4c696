// `plugboard route`: adds, lists, shows, changes and deletes routes. `route test` and `route prune` have files of their own.

import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type { RouteBody } from '../../../admin/api-types.ts'
import { maskedPasswords } from '../../../common/passwords/masked-passwords.ts'
import { ApiError } from '../../api/api-client.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  examples,
  segment,
  WITH_DRY_RUN,
} from '../../api/api-command.ts'
import { requireService } from '../../api/require-service.ts'
import { changeRow, IF_MATCH, type IfMatch, removeRow } from '../../api/row-change.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { type Column, durationText } from '../../output/output.ts'
import { useOf } from '../../words.ts'
import { defineHistory } from '../change/change-list.ts'
import { keyValuesText } from '../key-values.ts'
import { noteClaimants } from './route-claimants.ts'
import { addRouteFlags, optionsPatch, type RouteFlags } from './route-flags.ts'
import { defineRoutePrune } from './route-prune.ts'
import { defineRouteTest } from './route-test.ts'
import { claimOf, lastRequestOf } from './route-text.ts'

/** The table has no version and no id, because a line must fit in 100 characters. `route show` and JSON have both. */
const columns = (now: number): readonly Column<RouteBody>[] => [
  { title: 'mount', value: row => row.mount, canCut: true },
  { title: 'service', value: row => useOf(row.service), canCut: true },
  { title: 'options', value: row => keyValuesText(row.options), canCut: true },
  { title: 'claim', value: claimOf },
  { title: 'last request', value: row => lastRequestOf(row, now), canCut: true },
]

const DETAILS: readonly Column<RouteBody>[] = [
  { title: 'mount', value: row => row.mount },
  { title: 'service', value: row => useOf(row.service) },
  { title: 'options', value: row => keyValuesText(row.options) },
  { title: 'claimed by', value: row => row.claimedBy },
  {
    title: 'lifetime',
    value: row => (row.lifetimeSeconds === null ? '' : durationText(row.lifetimeSeconds)),
  },
  { title: 'last request', value: row => row.lastRequestAt },
  { title: 'by telephone', value: row => row.lastTelephone },
  { title: 'version', value: row => row.version },
  { title: 'id', value: row => row.id },
  { title: 'created', value: row => row.createdAt },
  { title: 'updated', value: row => row.updatedAt },
  { title: 'deleted', value: row => row.deletedAt },
]

export function defineRoute(route: Command, context: CliContext): void {
  const add = route
    .command('add <mount>')
    .description(
      'add a route: requests for this host and path go to a service, or get a response of Plugboard',
    )
    .option('-s, --service <name>', 'service that gets the requests')
    .option('--create-service', 'create the service if it does not exist')
  addRouteFlags(add, false)
  examples(
    add,
    'route add app.localhost/api --service shop --create-service',
    "route add '*.example.com' --service tenants --tenant-header X-Tenant",
    'route add admin.example.com --service admin --allow-ip 10.0.0.0/8 --basic-user ada',
    'route add example.org --redirect https://www.example.org',
  )
  apiAction(add, context, addRoute, WITH_DRY_RUN)

  const list = route
    .command('list')
    .description('list routes')
    .option('--host <pattern>', 'only routes with this host pattern')
    .option('-s, --service <name>', 'only routes to this service')
    .option('-q, --search <text>', 'only routes whose mount, or name of the service, contains this text')
    .option(
      '--sort <order>',
      'mount, createdAt, updatedAt or lastRequestAt; with - before it, the opposite direction: -updatedAt',
    )
    .option('--deleted', 'include deleted routes')
  examples(list, 'route list', 'route list --service shop --output json', 'route list --sort -lastRequestAt')
  apiAction(list, context, async ({ api, output, options }: ApiCommand<ListOptions>) => {
    const { host, service, search, sort, deleted } = options
    const query = { host, service, q: search, sort, includeDeleted: deleted }
    const rows = await api.list<RouteBody>('/v1/routes', query)
    if (rows.length === 0) await requireService(api, service)
    await output.rows(
      rows.map(maskedPasswords),
      columns(context.now()),
      `No routes. Add one: ${ownCommand('plugboard')} route add app.localhost --service <name>`,
    )
  })

  const show = route.command('show <mount|id>').description('show one route')
  examples(show, 'route show app.localhost/api')
  apiAction(show, context, async ({ api, output }: ApiCommand<unknown>, id: string) => {
    const row = await api.get<RouteBody>(`/v1/routes/${segment(id)}`, { includeDeleted: true })
    await output.row(maskedPasswords(row), DETAILS)
  })

  const set = route
    .command('set <mount|id>')
    .description('change a route; open requests finish with the old rules')
    .option('--mount <mount>', 'move the route to another host or path')
    .option('-s, --service <name>', 'send requests to another service')
    .option(...IF_MATCH)
  addRouteFlags(set, true)
  examples(
    set,
    'route set app.localhost/api --service shop-v2',
    'route set app.localhost/api --mount app.localhost/v2',
    'route set app.localhost/api --maintenance "Back at noon."',
    'route set app.localhost/api --maintenance --maintenance-except 10.0.0.0/8 --maintenance-until 2h',
    'route set app.localhost/api --limit login:5/1m --limit-key address',
    "route set app.localhost/api --set-header 'X-Real-IP: {clientAddress}' --cors-origin https://app.example.com",
    'route set app.localhost/api --options-file options.yaml',
  )
  apiAction(set, context, setRoute, WITH_DRY_RUN)

  defineRouteTest(route, context)

  const rm = route
    .command('rm <mount|id...>')
    .description('delete routes')
    .option(...IF_MATCH)
  examples(rm, 'route rm app.localhost/api')
  apiAction(
    rm,
    context,
    async (call: ApiCommand<IfMatch>, ids: readonly string[]) => {
      for (const id of ids) {
        const row = await removeRow<RouteBody>(call, `/v1/routes/${segment(id)}`)
        await call.output.done(maskedPasswords(row), `route ${row.mount} deleted`)
        await noteClaimants(call, [row])
      }
    },
    WITH_DRY_RUN,
  )
  const restore = route
    .command('restore <mount|id>')
    .description('restore a deleted route with its mount, service and options')
  examples(restore, 'route restore app.localhost/api')
  apiAction(
    restore,
    context,
    async ({ api, output }: ApiCommand<unknown>, id: string) => {
      const { body: row } = await api.request<RouteBody>('POST', `/v1/routes/${segment(id)}/restore`)
      await output.done(maskedPasswords(row), `route ${row.mount} → ${useOf(row.service)} restored`)
    },
    WITH_DRY_RUN,
  )
  defineHistory(route, context, 'route', 'mount|id', 'app.localhost/api')
  defineRoutePrune(route.command('prune'), context)
}

interface ListOptions {
  readonly host?: string
  readonly service?: string
  readonly search?: string
  readonly sort?: string
  readonly deleted?: boolean
}

async function addRoute(
  {
    api,
    output,
    options: flags,
    context,
  }: ApiCommand<RouteFlags & { service?: string; createService?: boolean; dryRun?: boolean }>,
  mount: string,
): Promise<void> {
  const { service, createService = false, dryRun = false } = flags
  if (createService && dryRun) {
    throw usageError(
      '--create-service and --dry-run contradict each other: use "plugboard diff" with a file that has both',
    )
  }
  const options = await optionsPatch(flags, () => Promise.resolve({}), context)
  if (service === undefined && !('redirect' in options) && !('respond' in options)) {
    throw usageError('give --service <name>, or --redirect, or --maintenance')
  }
  if (createService && service !== undefined) {
    try {
      await api.request('POST', '/v1/services', { body: { name: service }, once: true })
      output.note(`service ${service} added`)
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'conflict')) throw error
    }
  }
  const body = { mount, service, ...(Object.keys(options).length === 0 ? {} : { options }) }
  try {
    const { body: row } = await api.request<RouteBody>('POST', '/v1/routes', { body, once: true })
    await output.done(maskedPasswords(row), `route ${row.mount} → ${useOf(row.service)} added`)
  } catch (error) {
    const noService = error instanceof ApiError && error.message.includes('no service') && !createService
    if (!noService || (error.code !== 'not_found' && error.code !== 'invalid_request')) throw error
    throw new CliError(`${error.message} Add --create-service to create it.`, { cause: error })
  }
}

async function setRoute(
  call: ApiCommand<RouteFlags & IfMatch & { mount?: string; service?: string }>,
  id: string,
): Promise<void> {
  const { mount, service } = call.options
  const path = `/v1/routes/${segment(id)}`
  let ifMatch = call.options.ifMatch
  const before = async () => {
    const { body, etag } = await call.api.request<RouteBody>('GET', path)
    // The server applies the patch only to the version that the patch was made from.
    ifMatch ??= etag
    return body.options
  }
  const options = await optionsPatch(call.options, before, call.context)
  const some = Object.keys(options).length > 0
  if (mount === undefined && service === undefined && !some) {
    throw usageError('nothing to change: give --mount, --service or an option of the route')
  }
  const body = { mount, service, ...(some ? { options } : {}) }
  const previous = mount === undefined ? undefined : await call.api.get<RouteBody>(path)
  const changing = ifMatch === undefined ? call : { ...call, options: { ifMatch } }
  const row = await changeRow<RouteBody>(changing, path, body)
  await call.output.done(
    maskedPasswords(row),
    `route ${row.mount} → ${useOf(row.service)} changed (version ${row.version})`,
  )
  if (previous !== undefined && previous.mount !== row.mount) await noteClaimants(call, [previous])
}
