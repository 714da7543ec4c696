// Compares the dashboard and the alerts with the metrics of the product: a query of a metric or a label that does not exist shows
// nothing, without an error. alerts.test.ts runs the alerts.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MetricTable } from '@vera-stack/shared/metrics/metric.ts'
import { metricsReceiver, tracesReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadPlugboardConfig } from '../plugboard/config.ts'
import { PLUGBOARD_METRICS } from '../plugboard/metrics/plugboard-metrics.ts'
import { loadTelephoneConfig } from '../telephone/config.ts'
import { type Compose, readCompose, withDefaults } from './compose-file.ts'
import { queryParts } from './promql.ts'

interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly for?: string
  readonly annotations?: Record<string, string>
}

interface Dashboard {
  readonly panels: {
    readonly title: string
    readonly description?: string
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
    readonly targets?: { readonly expr: string; readonly legendFormat: string }[]
  }[]
  readonly templating: { readonly list: { readonly name: string; readonly query: unknown }[] }
}

interface Sources {
  readonly datasources: {
    readonly type: string
    readonly url: string
    readonly jsonData?: {
      readonly tracesToMetrics?: {
        readonly datasourceUid: string
        readonly tags: { readonly key: string; readonly value: string }[]
        readonly queries: { readonly query: string }[]
      }
    }
  }[]
}

const METRICS: MetricTable = PLUGBOARD_METRICS
/** The labels that Prometheus adds. */
const TARGET_LABELS = ['instance', 'job']
/** The labels of the series of alerts that Prometheus itself writes. */
const ALERT_LABELS = ['alertname', 'alertstate']

const read = (file: string) => readFile(join(import.meta.dirname, file), 'utf8')
const rulesOf = (text: string) =>
  (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules)

/** Returns the labels of a series, or undefined when there is no such series. */
function labelsOf(name: string, recorded: ReadonlySet<string>): readonly string[] | undefined {
  if (recorded.has(name)) return []
  if (name === 'ALERTS') return ALERT_LABELS
  const plain = METRICS[name]
  if (plain !== undefined && plain.type !== 'histogram') return [...plain.labels, ...TARGET_LABELS]
  const [, base = '', part] = /^(.*)_(bucket|sum|count)$/.exec(name) ?? []
  const histogram = METRICS[base]
  if (histogram?.type !== 'histogram') return undefined
  return [...histogram.labels, ...TARGET_LABELS, ...(part === 'bucket' ? ['le'] : [])]
}

/** Returns the problems of a query: metrics and labels that do not exist. */
function problemsOf(query: string, recorded: ReadonlySet<string> = new Set()): string[] {
  const { selectors, groupedBy, created } = queryParts(query)
  const problems: string[] = []
  const known = new Set(created)
  for (const { metric, labels } of selectors) {
    const allowed = labelsOf(metric, recorded)
    if (allowed === undefined) problems.push(`no metric ${metric}`)
    for (const label of allowed ?? []) known.add(label)
    for (const label of labels)
      if (allowed?.includes(label) === false) problems.push(`no label ${label} of ${metric}`)
  }
  for (const label of groupedBy) if (!known.has(label)) problems.push(`no label ${label} in the query`)
  return problems
}

describe('the check of queries', () => {
  it.each([
    ['rate(plugboard_unknown_total[5m])', ['no metric plugboard_unknown_total']],
    ['sum by (region) (plugboard_lines{health="up"})', ['no label region in the query']],
    ['plugboard_lines{state="up"} > 1', ['no label state of plugboard_lines']],
    ['rate(http_server_request_duration_seconds[5m])', ['no metric http_server_request_duration_seconds']],
    ['sum by (le) (rate(plugboard_backend_seconds_sum{service="a"}[5m]))', ['no label le in the query']],
    ['sum by (le, service) (rate(plugboard_backend_seconds_bucket[5m])) > on () group_left () vector(1)', []],
  ])('%s', (query, problems) => {
    expect(problemsOf(query)).toEqual(problems)
  })

  it('fails for a text that it cannot read', () => {
    expect(() => problemsOf('plugboard_lines @ 1')).toThrow('cannot read the query at "@ 1"')
  })
})

describe('the dashboard of Grafana', () => {
  let dashboard: Dashboard
  beforeAll(async () => {
    dashboard = JSON.parse(await read('grafana/plugboard.json')) as Dashboard
  })

  it('uses metrics and labels that exist', () => {
    const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ title, expr })),
    )
    expect(queries.length).toBeGreaterThan(40)
    expect(
      queries.flatMap(({ title, expr }) => problemsOf(expr).map(problem => `${title}: ${problem}`)),
    ).toEqual([])
  })

  it('shows each metric of Plugboard itself', () => {
    const used = dashboard.panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => queryParts(expr).selectors.map(({ metric }) => metric)),
    )
    const shown = (name: string) => used.some(each => each === name || each.startsWith(`${name}_`))
    const own = Object.keys(METRICS).filter(name => name.startsWith('plugboard_') || name.startsWith('http_'))
    expect(own.filter(name => name !== 'plugboard_share_age_seconds' && !shown(name))).toEqual([])
  })

  it('has a description and a legend for each panel, and no panels on top of each other', () => {
    const panels = dashboard.panels.filter(({ targets }) => targets !== undefined)
    expect(panels.filter(({ description }) => !description).map(({ title }) => title)).toEqual([])
    const cells = new Set<string>()
    for (const { gridPos, title } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(cells.has(`${x},${y}`), `${title} overlaps another panel`).toBe(false)
          cells.add(`${x},${y}`)
        }
      }
    }
  })
})

describe('the alerts of Prometheus', () => {
  let rules: Rule[]
  beforeAll(async () => {
    rules = rulesOf(await read('prometheus/alerts.yaml'))
  })

  it('use metrics and labels that exist', () => {
    const recorded = new Set(rules.flatMap(({ record }) => record ?? []))
    expect(
      rules.flatMap(({ alert, record, expr }) =>
        problemsOf(expr, recorded).map(each => `${alert ?? record}: ${each}`),
      ),
    ).toEqual([])
  })

  it('wait before they fire, and name what to do', () => {
    for (const { alert, for: wait, annotations } of rules) {
      if (alert === undefined) continue
      expect([alert, wait]).toEqual([alert, expect.stringMatching(/^\d+[mh]$/)])
      expect(annotations).toEqual({ summary: expect.any(String), runbook: expect.any(String) })
    }
  })

  it('have a test each', async () => {
    const tests = await read('prometheus/alerts.test.yaml')
    expect(
      rules.flatMap(({ alert }) => alert ?? []).filter(alert => !tests.includes(`alertname: ${alert},`)),
    ).toEqual([])
  })
})

describe('compose.observability.yaml', () => {
  let compose: Compose
  let sources: Sources
  let prometheus: { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[] }
  beforeAll(async () => {
    compose = await readCompose('compose.observability.yaml')
    prometheus = parse(await read('prometheus/prometheus.yaml'))
    sources = parse(await read('grafana/provisioning/datasources/sources.yaml'))
  })

  it('sets the addresses that Prometheus reads', async () => {
    const base = await readCompose('compose.yaml')
    const env = (name: string) =>
      withDefaults({ ...base.services[name]?.environment, ...compose.services[name]?.environment })
    const plugboard = loadPlugboardConfig({ env: env('plugboard'), cwd: '/app' }).values
    const telephone = loadTelephoneConfig({ env: env('telephone') }).values
    const targets = prometheus.scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap(each => each.targets),
    )
    expect(targets).toEqual([
      `plugboard:${plugboard.metricsListen?.port}`,
      `telephone:${telephone.metricsListen?.port}`,
    ])
  })

  it('sends the traces of both programs to the receiver of Tempo', async () => {
    const base = await readCompose('compose.yaml')
    const env = (name: string) =>
      withDefaults({ ...base.services[name]?.environment, ...compose.services[name]?.environment })
    const tempo = parse(await read('tempo/tempo.yaml')) as {
      readonly server: { readonly http_listen_port: number }
      readonly distributor: {
        readonly receivers: { readonly otlp: { readonly protocols: { readonly http: { endpoint: string } } } }
      }
    }
    const { endpoint } = tempo.distributor.receivers.otlp.protocols.http
    const configs = [
      loadPlugboardConfig({ env: env('plugboard'), cwd: '/app' }).values,
      loadTelephoneConfig({ env: env('telephone') }).values,
    ]
    for (const config of configs) {
      expect(tracesReceiver(config)?.url.href).toBe(`http://tempo:${endpoint.split(':')[1]}/v1/traces`)
      expect(metricsReceiver(config)).toBeUndefined()
    }
    expect(configs[0]?.traceSample).toBe(1)
    const source = sources.datasources.find(({ type }) => type === 'tempo')
    expect(source?.url).toBe(`http://tempo:${tempo.server.http_listen_port}`)
  })

  it('links traces to metrics and labels that exist', () => {
    const links = sources.datasources.flatMap(({ jsonData }) => jsonData?.tracesToMetrics ?? [])
    const [link] = links
    expect([links.length, link?.datasourceUid]).toEqual([1, 'prometheus'])
    const tags = link?.tags.map(({ value }) => `${value}="x"`).join() ?? ''
    const queries = link?.queries.map(({ query }) => query.replace('$$__tags', tags)) ?? []
    expect(queries.flatMap(query => problemsOf(query))).toEqual([])
    expect(queries).toHaveLength(2)
  })

  it('adds to services of compose.yaml, in networks that one of the two files has', async () => {
    const base = await readCompose('compose.yaml')
    const networks = Object.keys({ ...base.networks, ...compose.networks })
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service.image !== undefined || base.services[name] !== undefined, name).toBe(true)
      expect(networks).toEqual(expect.arrayContaining(service.networks ?? []))
    }
  })

  it('publishes its pages on this machine alone', () => {
    const ports = Object.values(compose.services).flatMap(service => service.ports ?? [])
    expect(ports).toEqual(['127.0.0.1:9090:9090', '127.0.0.1:3001:3000'])
  })
})
