// `plugboard status` and `plugboard replica`: show the state of this replica and of the cluster.

import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type {
  EjectionsBody,
  FailedServiceBody,
  LimitsBody,
  OutageBody,
  OutagesBody,
  ProcessOverrideBody,
  ReplicaBody,
  ReplicasBody,
  ServiceLinesBody,
  StatusBody,
  TrafficBody,
} from '../../../admin/api-types.ts'
import { ApiError } from '../../api/api-client.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { type Column, type Output, relative } from '../../output/output.ts'
import { sinceText } from '../../output/since-text.ts'
import { LINE_MEANING } from '../../words.ts'
import { overrideColumns } from '../process/process.ts'
import { NO_EJECTIONS, showEjections } from './status-ejections.ts'

export function defineStatus(status: Command, context: CliContext): void {
  examples(status, 'status', 'status --output json')
  apiAction(status, context, async ({ api, output }: ApiCommand<unknown>) => {
    const [status, outages, ejections, overrides] = await Promise.all([
      api.get<StatusBody>('/v1/status'),
      newer(api.get<OutagesBody>('/v1/outages'), NO_OUTAGES),
      newer(api.get<EjectionsBody>('/v1/ejections'), NO_EJECTIONS),
      newer(api.get<OverridesBody>('/v1/overrides'), NO_OVERRIDES),
    ])
    const whole = { ...status, outages, ejections, overrides: overrides.items }
    noteMissing(output, outages.missingReplicas)
    await showOutages(output, outages, context)
    await showEjections(output, ejections, context)
    await showOverrides(output, overrides, context)
    const isLineExplained = outages.total > 0
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
      { title: 'routes read from', value: row => row.tableSource },
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
      ...limitColumns(whole.limits),
    ])
    // A replica of an older version sends no list of last errors.
    await showFailures(output, whole.lastErrors ?? [], context)
    if (whole.replicas.length > 1) await output.section('replicas', whole.replicas, replicaColumns(context))
    if (whole.lines.length > 0) {
      const title = isLineExplained ? 'lines' : `lines (${LINE_MEANING})`
      await output.section(title, whole.lines, LINE_COLUMNS)
    }
  })
}

interface OverridesBody {
  readonly items: readonly ProcessOverrideBody[]
  readonly total: number
}
const NO_OVERRIDES: OverridesBody = { items: [], total: 0 }

/** Writes the telephone processes with an override. */
async function showOverrides(
  output: Output,
  { items, total }: OverridesBody,
  context: CliContext,
): Promise<void> {
  if (total === 0 || output.format !== 'table') return
  await output.section(`processes with an override (${total})`, items, overrideColumns(context))
}

const NO_OUTAGES: OutagesBody = { items: [], total: 0, missingReplicas: [] }

/** Returns `absent` when the replica is of an older version, which does not have the list, or the key may not read it. */
const ABSENT: ReadonlySet<string> = new Set(['not_found', 'forbidden', 'database_unavailable'])

async function newer<Body>(list: Promise<Body>, absent: Body): Promise<Body> {
  try {
    return await list
  } catch (error) {
    if (error instanceof ApiError && ABSENT.has(error.code)) return absent
    throw error
  }
}

/** Writes the outages first, because they are the reason why an operator looks at the status. */
async function showOutages(
  output: Output,
  { items, total }: OutagesBody,
  context: CliContext,
): Promise<void> {
  if (total === 0 || output.format !== 'table') return
  const shown = items.length < total ? `, the latest ${items.length}` : ''
  const title = `services without a line (${total}${shown}; ${LINE_MEANING})`
  await output.section(title, items, outageColumns(context))
}

/** Writes the last failed request of each service, because the counters of `error responses` do not name services. */
async function showFailures(
  output: Output,
  failures: readonly FailedServiceBody[],
  context: CliContext,
): Promise<void> {
  if (failures.length === 0 || output.format !== 'table') return
  const title = 'last failed request of each service (on this replica, since its start)'
  await output.section(title, failures, failureColumns(context))
  const mount = failures.find(failure => failure.mount !== null)?.mount
  if (mount === undefined || mount === null) return
  output.note(
    `note: more about a service: ${ownCommand('plugboard')} route test ${shellQuoted(urlOf(mount))}`,
  )
}

function failureColumns(context: CliContext): readonly Column<FailedServiceBody>[] {
  return [
    { title: 'service', value: row => row.service },
    { title: 'mount', value: row => row.mount },
    { title: 'failed', value: row => relative(row.at, context.now()) },
    { title: 'error', value: row => row.code },
    { title: 'detail', value: row => row.message },
  ]
}

/** Returns a URL that the mount matches. */
const urlOf = (mount: string): string => `http://${mount.replace(/^\*/, 'any')}`

function outageColumns(context: CliContext): readonly Column<OutageBody>[] {
  return [
    { title: 'service', value: row => row.service },
    { title: 'since', value: row => sinceText(row, context.now()) },
    { title: 'reason', value: row => row.reason },
    { title: 'routes', value: row => routesText(row) },
    { title: 'detail', value: row => row.detail },
  ]
}

function routesText({ routes, mounts }: OutageBody): string {
  const more = routes - mounts.length
  return `${mounts.join(' ')}${more > 0 ? ` and ${more} more` : ''}`
}

function databaseText({ database, notifications }: StatusBody): string {
  return notifications === 'lost' ? `${database}, notifications are lost: changes arrive late` : database
}

/** Returns no column while no token has exceeded a limit. */
function refusalColumns({ tokenRefusals }: StatusBody): readonly Column<StatusBody>[] {
  const { tunnels, claims, announcements } = tokenRefusals
  if (tunnels + claims + announcements === 0) return []
  const text = `${tunnels} tunnels, ${claims} claims, ${announcements} announcements`
  return [{ title: 'over token limits', value: () => `${text} refused since the start` }]
}

/** Returns no columns while the public port is not open yet. */
function trafficColumns(traffic: TrafficBody | null): readonly Column<StatusBody>[] {
  if (traffic === null) return []
  const { openConnections, connections, http2Connections, connectionsRefused, tls } = traffic
  const since = `${connections} since the start, ${http2Connections} by HTTP/2, ${connectionsRefused} refused`
  const columns: Column<StatusBody>[] = [
    { title: 'connections', value: () => `${openConnections} open (${since})` },
    { title: 'requests', value: () => traffic.requests },
    { title: 'attempts', value: () => attemptsText(traffic) },
    { title: 'circuit breakers', value: () => breakersText(traffic) },
    { title: 'waits', value: () => waitsText(traffic) },
    { title: 'mirrored', value: () => mirroredText(traffic) },
    { title: 'error responses', value: () => problemsText(traffic) },
  ]
  if (tls !== null) {
    const { handshakes, resumed, handshakesFailed, handshakesRefused } = tls
    const which = `${resumed} resumed, ${handshakesFailed} failed, ${handshakesRefused} refused`
    columns.push({ title: 'TLS handshakes', value: () => `${handshakes} (${which})` })
  }
  return columns
}

/** Returns the counts of further attempts, without those at 0. */
function attemptsText(traffic: TrafficBody): string {
  return countsText([
    [traffic.retries, 'retries'],
    [traffic.retryBudgetExhausted, 'failures over the retry budget'],
    [traffic.tryTimeouts, 'ended after tryTimeoutMs'],
  ])
}

function breakersText({ openBreakers, breakersOpened }: TrafficBody): string {
  return countsText([
    [openBreakers, 'open now'],
    [breakersOpened, 'openings since the start'],
  ])
}

/** Returns the counts of requests that waited for a line, without those at 0. */
function waitsText(traffic: TrafficBody): string {
  return countsText([
    [traffic.waiting, 'now'],
    [traffic.queued, 'in a queue'],
    [traffic.queueFull, 'refused by a full queue'],
    [traffic.queueTimeouts, 'timed out in a queue'],
    [traffic.held, 'for a telephone'],
    [traffic.holdTimeouts, 'without a telephone in time'],
  ])
}

/** Returns the counts of copies of requests, without those at 0. */
function mirroredText(traffic: TrafficBody): string {
  return countsText([
    [traffic.mirrored, 'copies of requests'],
    [traffic.mirrorFailures, 'failed'],
    [traffic.mirrorsSkipped, 'not sent'],
  ])
}

function countsText(counts: readonly (readonly [number, string])[]): string {
  return counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ')
}

/** Returns no column while no request was counted, and for a replica of an older version, which has no counters of limits. */
function limitColumns(limits: LimitsBody | undefined): readonly Column<StatusBody>[] {
  if (limits === undefined || limits.keys === 0) return []
  const { keys, maxKeys, evictions, rejected, unwritten } = limits
  const dropped = evictions === 0 ? '' : `, ${evictions} dropped of more than ${maxKeys}`
  const open = unwritten === 0 ? '' : `, ${unwritten} not stored yet`
  return [
    { title: 'rate limits', value: () => `${rejected} requests rejected, ${keys} keys${dropped}${open}` },
  ]
}

/** Returns the error responses of Plugboard itself by code, the most frequent first. */
function problemsText({ problems }: TrafficBody): string {
  return Object.entries(problems)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code}: ${count}`)
    .join(', ')
}

/** Returns the age of the last counts of limits from the replica. A replica of an older version has none. */
function limitAge({ shareAgeMs }: Partial<Pick<ReplicaBody, 'shareAgeMs'>>): string {
  return typeof shareAgeMs === 'number' ? `${shareAgeMs} ms ago` : ''
}

function replicaColumns(context: CliContext): readonly Column<ReplicaBody>[] {
  return [
    { title: 'name', value: row => `${row.name}${row.self ? ' (this one)' : ''}` },
    { title: 'state', value: row => row.state },
    { title: 'link', value: row => row.link ?? '' },
    { title: 'rtt', value: row => (row.rttMs === null ? '' : `${row.rttMs.toFixed(1)} ms`) },
    { title: 'lease', value: row => (row.leaseMs === null ? '' : `${(row.leaseMs / 1000).toFixed(1)} s`) },
    { title: 'limits', value: limitAge },
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

const lineCounts = ({ replicas }: ServiceLinesBody) =>
  Object.entries(replicas).sort(([a], [b]) => (a < b ? -1 : 1))

const LINE_COLUMNS: readonly Column<ServiceLinesBody>[] = [
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
  const list = replica.command('list').description('list the replicas, from the view of the asked replica')
  examples(list, 'replica list', 'replica list --output json')
  apiAction(list, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { items } = await api.get<ReplicasBody>('/v1/replicas')
    if (output.format === 'table') output.note(`note: ${LINE_MEANING}`)
    await output.rows(items, replicaColumns(context), 'No replicas are known.')
  })
  const lines = replica
    .command('lines')
    .description(`count the lines of each service on each replica (${LINE_MEANING})`)
  examples(lines, 'replica lines')
  apiAction(lines, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { lines: rows, missingReplicas } = await api.get<ReplicasBody>('/v1/replicas')
    noteMissing(output, missingReplicas)
    if (output.format === 'table') output.note(`note: ${LINE_MEANING}`)
    await output.rows(rows, LINE_COLUMNS, 'No service has lines.')
  })
}
