// The tables in documents that are generated from code. Each table is between two markers, `<!-- name -->` and `<!-- /name
// -->`. `npm run docs` writes the tables, and a test fails when a table is out of date.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { plugboardSettings, VARIABLE_PREFIX } from '../../plugboard/config.ts'
import { DOCTOR_CHECKS } from '../../plugboard/doctor/doctor-checks.ts'
import { PLUGBOARD_METRICS } from '../../plugboard/metrics/plugboard-metrics.ts'
import { BACKEND_CAUSES } from '../../shared/backend-causes.ts'
import { ERRORS, type ErrorCode } from '../../shared/errors.ts'
import { ACCESS_FIELDS } from '../../shared/log/access-fields.ts'
import type { MetricTable } from '../../shared/metrics/metric.ts'
import { settingsMarkdown } from '../../shared/settings.ts'
import { VARIABLE_PREFIX as TELEPHONE_PREFIX, telephoneSettings } from '../../telephone/config.ts'
import { TELEPHONE_METRICS } from '../../telephone/metrics/telephone-metrics.ts'

export const ROOT = join(import.meta.dirname, '../..')

export interface GeneratedTable {
  /** Path in the repository. */
  readonly document: string
  readonly marker: string
  readonly text: string
}

export const GENERATED_TABLES: readonly GeneratedTable[] = [
  { document: 'README.md', marker: 'errors', text: errorsMarkdown() },
  { document: 'docs/operating/metrics.md', marker: 'metrics', text: metricsMarkdown(PLUGBOARD_METRICS) },
  {
    document: 'docs/operating/metrics.md',
    marker: 'telephone-metrics',
    text: metricsMarkdown(TELEPHONE_METRICS),
  },
  { document: 'docs/telephone/failures.md', marker: 'causes', text: causesMarkdown() },
  { document: 'docs/operating/doctor.md', marker: 'checks', text: checksMarkdown() },
  { document: 'docs/operating/logs.md', marker: 'access-fields', text: accessFieldsMarkdown() },
  {
    document: 'docs/telephone/settings.md',
    marker: 'settings',
    text: settingsMarkdown(telephoneSettings, TELEPHONE_PREFIX),
  },
  {
    document: 'docs/operating/settings.md',
    marker: 'settings',
    text: settingsMarkdown(documented(), VARIABLE_PREFIX),
  },
]

export function read(document: string): string {
  return readFileSync(join(ROOT, document), 'utf8')
}

/** Returns the document with the table between its markers. Throws unless each marker occurs once. */
export function withTable(document: string, { marker, text }: GeneratedTable): string {
  const [open, close] = [`<!-- ${marker} -->\n`, `<!-- /${marker} -->`]
  const [before, rest, ...more] = document.split(open)
  const end = rest?.indexOf(close) ?? -1
  if (rest === undefined || end === -1 || more.length > 0) {
    throw new Error(`the document must contain the markers ${open.trim()} and ${close} once each`)
  }
  return `${before}${open}\n${text}\n${rest.slice(end)}`
}

function errorsMarkdown(): string {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  const rows = codes.map(code => {
    const { status, meaning, retry } = ERRORS[code]
    return [`\`${code}\``, String(status), meaning, retry]
  })
  const header = ['Code', 'Status', 'When', 'Retry']
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

function causesMarkdown(): string {
  const rows = Object.entries(BACKEND_CAUSES).map(([code, { meaning, remedy }]) => [
    `\`${code}\``,
    meaning,
    remedy,
  ])
  const header = ['Cause', 'When', 'What to do']
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

function checksMarkdown(): string {
  const rows = Object.entries(DOCTOR_CHECKS).map(([id, { checks, runs }]) => [
    `\`${id}\``,
    checks,
    runs === 'both' ? 'yes' : 'no',
  ])
  const header = ['Check', 'Is ok when', 'Also while Plugboard is stopped']
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

function accessFieldsMarkdown(): string {
  const rows = Object.entries(ACCESS_FIELDS).map(([name, { ecs, meaning }]) => [
    `\`${name}\``,
    `\`${ecs}\``,
    meaning,
  ])
  const header = ['Field', 'Name in `ecs`', 'Meaning']
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

/** Returns one row for each metric. */
function metricsMarkdown(metrics: MetricTable): string {
  const rows = Object.entries(metrics).map(([name, { type, labels, help }]) => [
    `\`${name}\``,
    type,
    labels.map(label => `\`${label}\``).join(' '),
    help,
  ])
  const header = ['Metric', 'Type', 'Labels', 'Meaning']
  return [header, header.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

/** Returns the settings with a placeholder for the default name, which is the host name of the machine. */
function documented(): typeof plugboardSettings {
  const { name } = plugboardSettings
  return { ...plugboardSettings, name: { ...name, default: '<host name>' } }
}
