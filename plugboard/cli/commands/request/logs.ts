// `plugboard logs`: the last failed or slow requests of all replicas, or with --follow all requests as they end.

import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { MissingReplicas, RequestBody, RequestPageBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { type Column, relative } from '../../output/output.ts'
import { reasonText, requestText } from './request-text.ts'

interface Filters {
  readonly service?: string
  readonly route?: string
  readonly status?: string
  readonly telephone?: string
  readonly replica?: string
  readonly method?: string
  readonly path?: string
}

interface LogsOptions extends Filters {
  readonly follow?: boolean
  readonly limit?: string
}

/** Time between two attempts to connect again, ms. */
const RECONNECT_MS = 1000

export function defineLogs(logs: Command, context: CliContext): void {
  logs
    .option('-f, --follow', 'show all requests as they end; without it, the last failed or slow ones')
    .option('--service <name>', 'only requests to this service')
    .option('--route <mount|id>', 'only requests of this route: its mount or its id')
    .option('--status <list>', 'only these statuses, such as 5xx, 404 or 500-503')
    .option('--telephone <name>', 'only requests whose last attempt went to this Telephone')
    .option('--replica <name>', 'only requests that this replica received')
    .option('--method <method>', 'only requests with this method')
    .option('--path <prefix>', 'only requests whose path begins with this text')
    .option('--limit <n>', 'number of requests, without --follow (default 50)')
  examples(
    logs,
    'logs',
    'logs --follow --service shop --status 5xx',
    'logs --follow --route example.com/api --json',
  )
  apiAction(logs, context, async (call: ApiCommand<LogsOptions>) => {
    const { follow = false, limit, ...options } = call.options
    const filters = filtersOf(options)
    if (follow && limit !== undefined)
      throw usageError('--limit and --follow cannot be combined: remove one of them')
    if (follow) await followRequests(call, filters)
    else await listRequests(call, filters, limit ?? '50')
  })
}

function filtersOf({ service, route, status, telephone, replica, method, path }: Filters): Filters {
  const given = { service, route, status, telephone, replica, method, path }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

async function listRequests(
  { api, output, context }: ApiCommand<LogsOptions>,
  filters: Filters,
  limit: string,
): Promise<void> {
  if (!/^[1-9]\d{0,4}$/.test(limit)) throw usageError(`--limit: "${limit}" is not a number from 1 to 99999`)
  const missing = new Map<string, MissingReplicas[number]>()
  const rows = await api.list<RequestBody>('/v1/requests', { ...filters }, Number(limit), page => {
    for (const each of (page as RequestPageBody).missingReplicas) missing.set(each.id, each)
  })
  const columns: readonly Column<RequestBody>[] = [
    { title: 'when', value: row => relative(row.at, context.now()) },
    { title: 'status', value: row => row.status },
    { title: 'method', value: row => row.method },
    { title: 'url', value: row => `${row.host}${row.path}`, canCut: true },
    { title: 'ms', value: row => Math.round(row.durationMs) },
    { title: 'service', value: row => row.service },
    { title: 'telephone', value: row => row.telephoneId },
    { title: 'reason', value: row => reasonText(row.code, row.cause) },
    { title: 'replica', value: row => row.replicaId },
    { title: 'request', value: row => row.requestId },
  ]
  await output.rows(rows, columns, 'No failed or slow requests. --follow shows all requests as they end.')
  noteMissing(output, [...missing.values()])
}

/** Shows requests until the user interrupts the command. Connects again when the connection ends, because its replica restarts. */
async function followRequests(call: ApiCommand<LogsOptions>, filters: Filters): Promise<void> {
  const { output, context } = call
  const signal = context.interrupted()
  let wasConnected = false
  while (!signal.aborted) {
    try {
      for await (const { event, data } of call.api.events('/v1/requests/stream', { ...filters }, signal)) {
        wasConnected = true
        await show(call, event, JSON.parse(data))
      }
    } catch (error) {
      // An error response does not pass by itself. A connection does, once there has been one.
      if (!wasConnected || !(error instanceof CliError) || error.name === 'ApiError') throw error
    }
    if (signal.aborted) return
    output.note('note: the connection ended. Requests are missing until it is open again.')
    await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined)
  }
}

async function show({ output }: ApiCommand<LogsOptions>, event: string, value: unknown): Promise<void> {
  if (event === 'request') {
    const request = value as RequestBody
    await output.event(request, requestText(request))
  } else if (event === 'dropped') {
    const { replicaId, count } = value as { readonly replicaId: string | null; readonly count: number }
    const reason = replicaId === null ? 'this reader is too slow' : `replica ${replicaId} has too many`
    output.note(`note: ${count} requests are not shown: ${reason}. Use more filters.`)
  } else if (event === 'replicas') {
    const { watched, missing } = value as {
      readonly watched: readonly string[]
      readonly missing: MissingReplicas
    }
    output.note(`note: following ${watched.length === 0 ? 'no replica' : watched.join(', ')}`)
    for (const { id, reason } of missing) output.note(`note: replica ${id} is not followed: ${reason}`)
  }
}
