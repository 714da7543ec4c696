// `plugboard route test URL`: shows the route and the service for a URL, the outcome of a request, and the reason of a failure.

import type { Command } from 'commander'
import type { MatchBody, MatchLineBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { CliError, usageError } from '../../cli-error.ts'
import type { Column } from '../../output/output.ts'
import { sinceText } from '../../output/since-text.ts'
import { LINE_MEANING, useOf } from '../../words.ts'

interface TestOptions {
  readonly method?: string
  readonly header?: readonly string[]
  readonly address?: string
}

const LINE_COLUMNS: readonly Column<MatchLineBody>[] = [
  { title: 'telephone', value: row => row.telephone },
  { title: 'replica', value: row => row.replicaId },
  { title: 'state', value: row => row.state },
  { title: 'health', value: healthText },
  { title: 'weight', value: row => row.weight },
  { title: 'version', value: row => row.version },
]

const RULE_COLUMNS: readonly Column<MatchBody['rules'][number]>[] = [
  { title: 'rule', value: row => row.rule },
  { title: 'of', value: row => row.of },
  { title: 'effect', value: row => row.effect },
  { title: 'detail', value: row => row.detail },
]
const NEAR_MISS_COLUMNS: readonly Column<MatchBody['nearMisses'][number]>[] = [
  { title: 'kind', value: row => row.kind },
  { title: 'reason', value: row => row.detail },
  { title: 'mount', value: row => row.route?.mount },
]

/**
 * A line without a health check is `up` as long as its tunnel is open, also when its backend is down. A replica of an older
 * version sends no `healthCheck`.
 */
function healthText({ health, healthCheck }: MatchLineBody): string {
  return health === 'up' && healthCheck !== true ? 'connected, no health check' : health
}

// Values are not split at commas, because a field may contain commas.
const collectFields = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]

export function defineRouteTest(route: Command, context: CliContext): void {
  const test = route
    .command('test <url>')
    .description('show the route and the service for a URL, and why a request would fail; sends no request')
    .option('-X, --method <method>', 'method of the request (default GET)')
    .option(
      '-H, --header <name: value>',
      'header field of the request, without credentials; several times',
      collectFields,
    )
    .option(
      '--address <ip>',
      'address of the client (default: the address of this machine, as the admin API receives it)',
    )
  examples(
    test,
    'route test http://app.localhost/api/orders',
    'route test https://app.example.com/api --method POST --address 203.0.113.7',
    "route test app.localhost/api -X OPTIONS -H 'Origin: https://shop.example.com' -H 'Access-Control-Request-Method: PUT'",
  )
  apiAction(test, context, testRoute)
}

async function testRoute(
  { api, output, options, context }: ApiCommand<TestOptions>,
  text: string,
): Promise<void> {
  const url = urlOf(text)
  const { method = 'GET', header, address } = options
  const scheme = url.protocol.slice(0, -1)
  const query = { host: url.host, path: `${url.pathname}${url.search}`, scheme, address, header }
  const row = await api.get<MatchBody>('/v1/match', { ...query, method: method.toUpperCase() })
  noteMissing(output, row.missingReplicas)
  await output.row(row, columnsOf(row, `${method.toUpperCase()} ${url.href}`, context))
  // A replica of an older version sends neither rules nor near misses.
  const { rules = [], nearMisses = [] } = row as Partial<MatchBody>
  if (rules.length > 0) await output.section('rules, in their order', rules, RULE_COLUMNS)
  if (nearMisses.length > 0) await output.section('near misses', nearMisses, NEAR_MISS_COLUMNS)
  if (row.lines.items.length > 0) await output.section('lines', row.lines.items, LINE_COLUMNS)
  const problem = problemOf(row)
  if (problem !== undefined) throw new CliError(problem)
}

function urlOf(text: string): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw usageError(`"${text}" is not an http URL. Write it as http://app.localhost/api`)
  }
  // A request line contains no user and no password, and a user may paste the output elsewhere.
  url.username = ''
  url.password = ''
  return url
}

function columnsOf(row: MatchBody, request: string, context: CliContext): Column<MatchBody>[] {
  const { route, service, lines, outage, lastError } = row
  const columns: Column<MatchBody>[] = [
    { title: 'request', value: () => request },
    { title: 'route', value: () => (route === null ? 'none' : `${route.mount} (${route.id})`) },
  ]
  if (route !== null) columns.push({ title: 'service', value: () => useOf(service?.name ?? null) })
  columns.push({ title: 'outcome', value: () => outcomeText(row) })
  if (service === null) return columns
  if (isHidden(row)) return columns
  const counts = `${lines.serving} of ${lines.total} can take requests (${LINE_MEANING})`
  columns.push({ title: 'lines', value: () => counts })
  if (outage !== null) {
    columns.push({ title: 'no line since', value: () => sinceText(outage, context.now()) })
    columns.push({ title: 'reason', value: () => `${outage.reason}: ${outage.detail}` })
  }
  columns.push({
    title: 'last error',
    value: () =>
      lastError === null
        ? 'none since the start'
        : `${sinceText({ since: lastError.at, observed: true }, context.now())}: ${lastError.code}: ${lastError.message} ` +
          `(request ${lastError.requestId}, replica ${lastError.replicaId}` +
          `${lastError.telephone === null ? '' : `, telephone ${lastError.telephone}`})`,
  })
  return columns
}

function outcomeText(match: MatchBody): string {
  const { response, service, lines } = match
  if (response === null) {
    if (isHidden(match))
      return 'goes to the service; your API key needs the scope status:read to see its lines'
    if (service !== null && lines.serving === 0) return 'no_telephone: no line can take the request'
    const serving = lines.items.filter(({ state }) => state === 'serving')
    const backend = serving.some(({ healthCheck }) => healthCheck === true)
      ? 'its health check passes'
      : 'without a health check, the state of the backend is unknown'
    return `goes to a telephone; ${backend}`
  }
  const { status, code, detail, location } = response
  const what = code === null ? '' : ` ${code}: ${detail}`
  return `Plugboard responds with ${status}${what}${location === null ? '' : ` to ${location}`}`
}

/** True when the API key lacks `status:read`. Then the response has no lines, no outage and no last error. */
function isHidden({ service, lines, outage }: MatchBody): boolean {
  return service !== null && lines.total === 0 && outage === null
}

/** Returns the problem; undefined when a telephone would receive the request, or Plugboard itself would respond. */
function problemOf(match: MatchBody): string | undefined {
  const { route, response, service, lines } = match
  if (route === null) return `no route takes this URL${response?.code ? ` (${response.code})` : ''}`
  if (response !== null && response.code !== null) return `the request is refused (${response.code})`
  if (response !== null || service === null || lines.serving > 0 || isHidden(match)) return undefined
  return `no line of service ${service.name} can take requests`
}
