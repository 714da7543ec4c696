// `plugboard route test URL`: which route and service take a URL, what would happen to the request, and why it would fail.

import type { Command } from 'commander'
import { type ApiCommand, apiAction, type CliContext, examples } from './api-command.ts'
import { CliError, usageError } from './cli-error.ts'
import { noteMissing } from './missing-replicas.ts'
import { type Column, relative } from './output.ts'
import { type MatchLineRow, type MatchRow, useOf } from './rows.ts'
import { sinceText } from './since-text.ts'

interface TestOptions {
  readonly method?: string
  readonly header?: readonly string[]
  readonly address?: string
}

const LINE_COLUMNS: readonly Column<MatchLineRow>[] = [
  { title: 'telephone', value: row => row.telephone },
  { title: 'replica', value: row => row.replicaId },
  { title: 'state', value: row => row.state },
  { title: 'health', value: row => row.health },
  { title: 'weight', value: row => row.weight },
  { title: 'version', value: row => row.version },
]

// Not split at commas: a field may have them.
const collectFields = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]

export function defineRouteTest(route: Command, context: CliContext): void {
  const test = route
    .command('test <url>')
    .description(
      'show which route and service take a URL, and why a request for it would fail; sends no request',
    )
    .option('-X, --method <method>', 'method of the request (default GET)')
    .option(
      '-H, --header <name: value>',
      'header field of the request, without credentials; several times',
      collectFields,
    )
    .option('--address <ip>', 'address of the client (default: this machine as the admin API sees it)')
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
  const row = await api.get<MatchRow>('/v1/match', { ...query, method: method.toUpperCase() })
  noteMissing(output, row.missingReplicas)
  await output.row(row, columnsOf(row, `${method.toUpperCase()} ${url.href}`, context))
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
  return url
}

function columnsOf(row: MatchRow, request: string, context: CliContext): Column<MatchRow>[] {
  const { route, service, lines, outage, lastError } = row
  const columns: Column<MatchRow>[] = [
    { title: 'request', value: () => request },
    { title: 'route', value: () => (route === null ? 'none' : `${route.mount} (${route.id})`) },
  ]
  if (route !== null) columns.push({ title: 'service', value: () => useOf(service?.name ?? null) })
  columns.push({ title: 'outcome', value: () => outcomeText(row) })
  if (service === null) return columns
  columns.push({ title: 'lines', value: () => `${lines.serving} of ${lines.total} take requests` })
  if (outage !== null) {
    columns.push({ title: 'no line since', value: () => sinceText(outage, context.now()) })
    columns.push({ title: 'reason', value: () => `${outage.reason}: ${outage.detail}` })
  }
  columns.push({
    title: 'last error',
    value: () =>
      lastError === null
        ? 'none since the start'
        : `${relative(lastError.at, context.now())}: ${lastError.code}: ${lastError.message} ` +
          `(request ${lastError.requestId}, replica ${lastError.replicaId}` +
          `${lastError.telephone === null ? '' : `, telephone ${lastError.telephone}`})`,
  })
  return columns
}

function outcomeText({ response, service, lines }: MatchRow): string {
  if (response === null) {
    const serving = service === null || lines.serving > 0
    return serving ? 'forwarded to a telephone' : 'no_telephone: no line takes the request'
  }
  const { status, code, detail, location } = response
  const what = code === null ? '' : ` ${code}: ${detail}`
  return `Plugboard responds with ${status}${what}${location === null ? '' : ` to ${location}`}`
}

/** Undefined when the request would be served: by a telephone, or by the route itself. */
function problemOf({ route, response, service, lines }: MatchRow): string | undefined {
  if (route === null) return `no route takes this URL${response?.code ? ` (${response.code})` : ''}`
  if (response !== null && response.code !== null) return `the request is refused (${response.code})`
  if (response !== null || service === null || lines.serving > 0) return undefined
  return `no line of service ${service.name} takes requests`
}
