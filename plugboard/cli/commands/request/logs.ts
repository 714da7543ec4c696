// `plugboard logs`: the last failed or slow requests of all replicas, or with --follow all requests as they end.

import type { Command } from 'commander'
import type { MissingReplicas, RequestBody, RequestPageBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { usageError } from '../../cli-error.ts'
import { type Column, relative } from '../../output/output.ts'
import { followLive } from './follow-live.ts'
import { addFilterFlags, filtersOf, type LiveFilters } from './live-filters.ts'
import { reasonText, requestText } from './request-text.ts'

interface LogsOptions extends LiveFilters {
  readonly service?: string
  readonly follow?: boolean
  readonly limit?: string
}

export function defineLogs(logs: Command, context: CliContext): void {
  logs
    .option('-f, --follow', 'show all requests as they end; without it, the last failed or slow ones')
    .option('--service <name>', 'only requests to this service')
    .option('--limit <n>', 'number of requests, without --follow (default 50)')
  addFilterFlags(logs)
  examples(
    logs,
    'logs',
    'logs --follow --service shop --status 5xx',
    'logs --follow --route example.com/api --json',
  )
  apiAction(logs, context, async (call: ApiCommand<LogsOptions>) => {
    const { follow = false, limit, service, ...options } = call.options
    const filters = { ...filtersOf(options), ...(service === undefined ? {} : { service }) }
    if (follow && limit !== undefined)
      throw usageError('--limit and --follow cannot be combined: remove one of them')
    if (follow) {
      const shown = (request: RequestBody) => call.output.event(request, requestText(request))
      await followLive(call, { path: '/v1/requests/stream', filters, event: 'request', show: shown })
    } else await listRequests(call, filters, limit ?? '50')
  })
}

async function listRequests(
  { api, output, context }: ApiCommand<LogsOptions>,
  filters: LiveFilters,
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
