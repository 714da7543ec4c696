// `plugboard status`, `plugboard telephone list`, `plugboard changes`: looking, not changing.

import type { Command } from 'commander'
import { type ApiCommand, apiAction, type CliContext, examples } from './api-command.ts'
import { usageError } from './cli-error.ts'
import { type Column, relative } from './output.ts'
import { requireService } from './require-service.ts'
import type { ChangeRow, ReplicaRow, ServiceLinesRow, StatusRow, TelephoneRow, TrafficRow } from './rows.ts'

export function defineStatus(status: Command, context: CliContext): void {
  examples(status, 'status', 'status --output json')
  apiAction(status, context, async ({ api, output }: ApiCommand<unknown>) => {
    const whole = await api.get<StatusRow>('/v1/status')
    const self = whole.replicas.find(replica => replica.self)
    const state = whole.draining ? 'draining' : whole.ready ? 'ready' : 'loading'
    const behind = whole.latestSequence === null ? undefined : whole.latestSequence - whole.appliedSequence
    await output.row(whole, [
      { title: 'replica', value: () => self?.name },
      { title: 'version', value: row => row.version },
      { title: 'state', value: () => state },
      { title: 'started', value: () => relative(self?.startedAt ?? null, context.now()) },
      { title: 'address', value: () => self?.address },
      { title: 'database', value: databaseText },
      { title: 'table from', value: row => row.tableSource },
      {
        title: 'applied change',
        value: row => `${row.appliedSequence}${behind ? ` (${behind} behind)` : ''}`,
      },
      { title: 'routes', value: row => row.routes },
      { title: 'services', value: row => row.services },
      { title: 'telephones', value: row => `${row.telephones} (${row.tunnels} tunnels)` },
      { title: 'open streams', value: row => row.streams },
      ...refusalColumns(whole),
      ...trafficColumns(whole.traffic),
    ])
    if (whole.replicas.length > 1) await output.section('replicas', whole.replicas, replicaColumns(context))
    if (whole.lines.length > 0) await output.section('lines', whole.lines, LINE_COLUMNS)
  })
}

function databaseText({ database, notifications }: StatusRow): string {
  return notifications === 'lost' ? `${database}, notifications are lost: changes arrive late` : database
}

/** Empty while no token has met a limit. */
function refusalColumns({ tokenRefusals }: StatusRow): readonly Column<StatusRow>[] {
  const { tunnels, claims, announcements } = tokenRefusals
  if (tunnels + claims + announcements === 0) return []
  const text = `${tunnels} tunnels, ${claims} claims, ${announcements} announcements`
  return [{ title: 'over token limits', value: () => `${text} refused since the start` }]
}

/** None for a replica that serves nobody yet. */
function trafficColumns(traffic: TrafficRow | null): readonly Column<StatusRow>[] {
  if (traffic === null) return []
  const { openConnections, connections, http2Connections, connectionsRefused, tls } = traffic
  const since = `${connections} since the start, ${http2Connections} by HTTP/2, ${connectionsRefused} refused`
  const columns: Column<StatusRow>[] = [
    { title: 'connections', value: () => `${openConnections} open (${since})` },
    { title: 'requests', value: () => traffic.requests },
    { title: 'own answers', value: () => problemsText(traffic) },
  ]
  if (tls !== null) {
    const { handshakes, resumed, handshakesFailed, handshakesRefused } = tls
    const which = `${resumed} resumed, ${handshakesFailed} failed, ${handshakesRefused} refused`
    columns.push({ title: 'TLS handshakes', value: () => `${handshakes} (${which})` })
  }
  return columns
}

/** What Plugboard itself has answered, the most frequent first. */
function problemsText({ problems }: TrafficRow): string {
  return Object.entries(problems)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code}: ${count}`)
    .join(', ')
}

function replicaColumns(context: CliContext): readonly Column<ReplicaRow>[] {
  return [
    { title: 'name', value: row => `${row.name}${row.self ? ' (this one)' : ''}` },
    { title: 'state', value: row => row.state },
    { title: 'link', value: row => row.link ?? '' },
    { title: 'rtt', value: row => (row.rttMs === null ? '' : `${row.rttMs.toFixed(1)} ms`) },
    { title: 'lease', value: row => (row.leaseMs === null ? '' : `${(row.leaseMs / 1000).toFixed(1)} s`) },
    { title: 'applied change', value: row => row.appliedSequence ?? '' },
    { title: 'tunnels', value: row => row.tunnels },
    { title: 'lines', value: row => row.lines },
    { title: 'streams', value: row => row.streams },
    {
      title: 'started',
      value: row => (row.startedAt === null ? '' : relative(row.startedAt, context.now())),
    },
    { title: 'version', value: row => row.version },
    { title: 'address', value: row => row.address },
    { title: 'disagreements', value: row => row.disagreements.join(' ') },
  ]
}

const lineCounts = ({ replicas }: ServiceLinesRow) =>
  Object.entries(replicas).sort(([a], [b]) => (a < b ? -1 : 1))

const LINE_COLUMNS: readonly Column<ServiceLinesRow>[] = [
  { title: 'service', value: row => row.service },
  { title: 'lines', value: row => lineCounts(row).reduce((sum, [, count]) => sum + count, 0) },
  {
    title: 'by replica',
    value: row =>
      lineCounts(row)
        .map(([id, count]) => `${id}: ${count}`)
        .join(', '),
  },
]

export function defineReplica(replica: Command, context: CliContext): void {
  const list = replica
    .command('list')
    .description('list the replicas, as the replica that responds sees them')
  examples(list, 'replica list', 'replica list --output json')
  apiAction(list, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { items } = await api.get<{ items: ReplicaRow[] }>('/v1/replicas')
    await output.rows(items, replicaColumns(context), 'No replicas are known.')
  })
  const lines = replica.command('lines').description('count the lines of each service on each replica')
  examples(lines, 'replica lines')
  apiAction(lines, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { lines: rows } = await api.get<{ lines: ServiceLinesRow[] }>('/v1/replicas')
    await output.rows(rows, LINE_COLUMNS, 'No service has lines.')
  })
}

export function defineTelephone(telephone: Command, context: CliContext): void {
  const columns: readonly Column<TelephoneRow>[] = [
    { title: 'name', value: row => row.name },
    {
      title: 'services',
      value: row =>
        row.services
          .map(({ service, health }) => (health === 'up' ? service : `${service} (${health})`))
          .join(' '),
    },
    { title: 'streams', value: row => row.streams },
    { title: 'rtt', value: row => (row.rttMs === null ? '' : `${row.rttMs.toFixed(1)} ms`) },
    { title: 'from', value: row => row.remoteAddress },
    { title: 'connected', value: row => relative(row.connectedAt, context.now()) },
    { title: 'agent', value: row => row.agent },
    { title: 'replica', value: row => row.replicaId },
    { title: 'tunnel', value: row => row.id },
  ]
  const list = telephone
    .command('list')
    .description('list the tunnels of telephones that are connected now')
    .option('-s, --service <name>', 'only those that serve it')
    .option('-n, --name <name>', 'only this telephone')
  examples(list, 'telephone list', 'telephone list --service shop')
  apiAction(
    list,
    context,
    async ({ api, output, options }: ApiCommand<{ service?: string; name?: string }>) => {
      const { service, name } = options
      const { items } = await api.get<{ items: TelephoneRow[] }>('/v1/telephones', { service, name })
      if (items.length === 0) await requireService(api, service)
      await output.rows(items, columns, 'No telephones are connected.')
    },
  )
}

interface ChangesOptions {
  readonly limit?: string
  readonly entity?: string
  readonly follow?: boolean
  readonly after?: string
}

export function defineChanges(changes: Command, context: CliContext): void {
  changes
    .option('--limit <n>', 'how many (default 50)')
    .option('--entity <kind>', 'only service, route, token, signing_key or admin_key')
    .option('--after <sequence>', 'only later ones, oldest first')
    .option('-f, --follow', 'go on with new ones as they happen')
  examples(changes, 'changes --limit 10', 'changes --entity route', 'changes --follow --output json')
  apiAction(changes, context, async ({ api, output, options }: ApiCommand<ChangesOptions>) => {
    const { entity, follow = false } = options
    const limit = wholeNumber(options.limit ?? '50', '--limit')
    const after = options.after === undefined ? undefined : wholeNumber(options.after, '--after')
    if (follow) {
      if (entity !== undefined) throw usageError('--follow shows all kinds; leave --entity away')
      for await (const data of api.events('/v1/changes/stream', { after }, context.interrupted())) {
        const change = JSON.parse(data) as ChangeRow
        await output.event(change, `${change.at}  ${change.sequence}  ${sentence(change)}  (${change.actor})`)
      }
      return
    }
    if (after !== undefined && entity !== undefined) throw usageError('--after does not go with --entity')
    const rows = await api.list<ChangeRow>('/v1/changes', { entity, after }, limit)
    const columns: readonly Column<ChangeRow>[] = [
      { title: 'sequence', value: row => row.sequence },
      { title: 'when', value: row => relative(row.at, context.now()) },
      { title: 'what', value: sentence },
      { title: 'actor', value: row => row.actor },
    ]
    await output.rows(rows, columns, 'No changes.')
  })
}

/** `route app.localhost/api updated: service shop → shop-v2` */
function sentence({ entity, entityId, action, before, after }: ChangeRow): string {
  const row = after ?? before
  const name = row?.mount ?? row?.name ?? entityId
  const quiet = new Set(['version', 'updatedAt', 'serviceId'])
  const parts =
    action !== 'updated' || before === null || after === null
      ? []
      : Object.keys(after)
          .filter(key => !quiet.has(key) && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
          .map(key => `${key} ${JSON.stringify(before[key])} → ${JSON.stringify(after[key])}`)
  return `${entity} ${String(name)} ${action}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError(`${option}: "${text}" is not a whole number`)
  return Number(text)
}
