// `plugboard inspect SERVICE`: the captured exchanges of a service, or with --follow new ones as they arrive.

import type { Command } from 'commander'
import type { ExchangePageBody, ExchangeSummaryBody, MissingReplicas } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, segment } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { usageError } from '../../cli-error.ts'
import { type Column, relative } from '../../output/output.ts'
import { followLive } from '../request/follow-live.ts'
import { addFilterFlags, filtersOf, type LiveFilters } from '../request/live-filters.ts'
import { reasonText } from '../request/request-text.ts'
import { exchangeText } from './exchange-text.ts'

interface InspectOptions extends LiveFilters {
  readonly follow?: boolean
  readonly limit?: string
}

const DEFAULT_LIMIT = '50'

export function defineInspect(inspect: Command, context: CliContext): void {
  inspect
    .argument('<service>', 'name or id of the service')
    .option('-f, --follow', 'show new exchanges as they arrive')
    .option('--limit <n>', `number of exchanges; not with --follow (default ${DEFAULT_LIMIT})`)
  addFilterFlags(inspect)
  examples(inspect, 'service set shop --inspect 30m', 'inspect shop --status 5xx', 'inspect shop --follow')
  apiAction(inspect, context, async (call: ApiCommand<InspectOptions>, service: string) => {
    const { follow = false, limit, ...options } = call.options
    const path = `/v1/services/${segment(service)}/exchanges`
    const filters = filtersOf(options)
    if (follow && limit !== undefined)
      throw usageError('--limit and --follow cannot be combined: remove one of them')
    if (!follow) return await listExchanges(call, { path, service, filters, limit: limit ?? DEFAULT_LIMIT })
    const { inspectedUntil } = await call.api.get<ExchangePageBody>(path, { limit: 1 })
    if (inspectedUntil === null) noteOff(call, service)
    const show = (exchange: ExchangeSummaryBody) => call.output.event(exchange, exchangeText(exchange))
    await followLive(call, { path, filters, event: 'exchange', show })
  })
}

async function listExchanges(
  call: ApiCommand<InspectOptions>,
  { path, service, filters, limit }: { path: string; service: string; filters: LiveFilters; limit: string },
): Promise<void> {
  const { api, output, context } = call
  if (!/^[1-9]\d{0,4}$/.test(limit)) throw usageError(`--limit: "${limit}" is not a number from 1 to 99999`)
  const missing = new Map<string, MissingReplicas[number]>()
  let until: string | null = null
  const rows = await api.list<ExchangeSummaryBody>(path, { ...filters }, Number(limit), page => {
    const { missingReplicas, inspectedUntil } = page as ExchangePageBody
    until = inspectedUntil
    for (const each of missingReplicas) missing.set(each.id, each)
  })
  const columns: readonly Column<ExchangeSummaryBody>[] = [
    { title: 'when', value: ({ request }) => relative(request.at, context.now()) },
    { title: 'status', value: ({ request, open }) => `${request.status}${open ? ' open' : ''}` },
    { title: 'method', value: ({ request }) => request.method },
    { title: 'url', value: ({ request }) => `${request.host}${request.path}`, canCut: true },
    { title: 'ms', value: ({ request }) => Math.round(request.durationMs) },
    { title: 'telephone', value: ({ request }) => request.telephoneId },
    { title: 'reason', value: ({ request }) => reasonText(request.code, request.cause) },
    { title: 'replay of', value: ({ replayOf }) => replayOf },
    { title: 'exchange', value: ({ id }) => id },
  ]
  await output.rows(rows, columns, 'No exchanges.')
  if (until === null) noteOff(call, service)
  noteMissing(output, [...missing.values()])
}

function noteOff({ output }: ApiCommand<InspectOptions>, service: string): void {
  output.note(
    `note: the inspector of ${service} is off. Turn it on: plugboard service set ${service} --inspect 30m`,
  )
}
