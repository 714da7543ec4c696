// Loads the settings of a table (settings/row.ts). A flag beats a variable, which beats the YAML file, which beats the default.
// All problems are reported at once, each with its place. Both programs load their settings at start. This code is independent
// of the meaning of each setting.

import { secretFileProblem } from './process/secret-file.ts'
import { type Environment, type EnvironmentOptions, readEnvironment } from './settings/environment.ts'
import { readSettingsFile } from './settings/file.ts'
import { readFlags } from './settings/flags.ts'
import {
  flagOf,
  type LoadedSettings,
  nameOf,
  type Row,
  type SettingsOf,
  type SettingsTable,
  variableOf,
} from './settings/row.ts'
import {
  type Reading,
  type SettingCandidate,
  type SettingProblem,
  SettingsError,
  type Source,
} from './settings/source.ts'

export { describeSettings, settingsMarkdown } from './settings/describe.ts'
export type { Environment } from './settings/environment.ts'
export { addOptions } from './settings/flags.ts'
export type { ListenAddress } from './settings/kind.ts'
export {
  group,
  type LoadedSettings,
  type Row,
  type SettingsOf,
  type SettingsTable,
  setting,
} from './settings/row.ts'
export { type SettingProblem, SettingsError, type Source } from './settings/source.ts'

export interface LoadOptions<Table extends SettingsTable> {
  /** `PLUGBOARD_` or `TELEPHONE_`. */
  readonly prefix: string
  /** The options that the command line parser found: commander's `opts()`. */
  readonly flags?: Readonly<Record<string, unknown>>
  /** Keys of `flags` that are arguments of the command. Errors name them as `<target>`, not `--target`. */
  readonly argumentKeys?: readonly string[]
  /** Default: the environment of the process. */
  readonly env?: Environment
  /** Default: the working directory of the process. */
  readonly cwd?: string
  readonly otherVariables?: EnvironmentOptions['otherVariables']
  /** Rules between settings. Called only when each value alone is valid. */
  readonly check?: (values: SettingsOf<Table>) => readonly { key: keyof Table & string; detail: string }[]
}

const DEFAULT: Source = { kind: 'default', label: 'default' }
const NOT_SET: Source = { kind: 'none', label: 'not set' }

/**
 * Loads the settings. When the table has the row `config`, its flag or variable names the YAML file.
 * @throws SettingsError with all problems.
 */
export function loadSettings<Table extends SettingsTable>(
  table: Table,
  options: LoadOptions<Table>,
): LoadedSettings<Table> {
  const { prefix, flags = {}, argumentKeys = [], env = process.env, cwd = process.cwd() } = options
  const { otherVariables = [] } = options
  const readings: Reading[] = [
    readFlags(table, flags, argumentKeys, cwd),
    readEnvironment(table, { prefix, env, cwd, otherVariables }),
  ]
  const config = readings.flatMap(reading => reading.candidates).find(({ key }) => key === 'config')
  if (typeof config?.raw === 'string') readings.push(readSettingsFile(table, config.raw, cwd))

  const problems: SettingProblem[] = readings.flatMap(reading => reading.problems)
  const values: Record<string, unknown> = {}
  const sources: Record<string, Source> = {}
  // From the weakest source to the strongest. Each value is checked, even when a stronger source replaces it.
  for (const candidate of [...defaults(table, cwd), ...readings.reverse().flatMap(r => r.candidates)]) {
    const { key, source } = candidate
    const row = table[key]
    if (row === undefined) continue
    const parsed = candidate.parsed
      ? ({ ok: true, value: candidate.raw } as const)
      : row.kind.parse(candidate.raw, candidate.folder)
    if (parsed.ok) {
      values[key] = parsed.value
      sources[key] = source
    } else {
      problems.push({ source: source.label, detail: row.secret ? hidden(row) : parsed.problem })
    }
  }
  for (const [key, row] of Object.entries(table)) {
    if (key in sources) continue
    sources[key] = NOT_SET
    values[key] = undefined
    const failed = readings.some(reading => reading.candidates.some(candidate => candidate.key === key))
    if (row.required && !failed)
      problems.push({ source: nameOf(key, row), detail: missing(key, table, prefix) })
  }
  const warnings = [
    ...readings.flatMap(reading => reading.warnings ?? []),
    ...exposedFiles(table, values, sources),
  ]
  const loaded = { values, sources, warnings } as LoadedSettings<Table>
  if (problems.length === 0) {
    for (const { key, detail } of options.check?.(loaded.values) ?? []) {
      problems.push({ source: `${nameOf(key, table[key]!)} (${loaded.sources[key].label})`, detail })
    }
  }
  if (problems.length > 0) throw new SettingsError(problems)
  return loaded
}

function exposedFiles(
  table: SettingsTable,
  values: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, Source>>,
): SettingProblem[] {
  return Object.entries(table).flatMap(([key, row]) => {
    const path = values[key]
    const detail = row.holdsSecret && typeof path === 'string' ? secretFileProblem(path) : undefined
    return detail === undefined ? [] : [{ source: sources[key]?.label ?? key, detail }]
  })
}

function defaults(table: SettingsTable, cwd: string): SettingCandidate[] {
  return Object.entries(table)
    .filter(([, row]) => row.default !== undefined)
    .map(([key, row]) => ({
      key,
      raw: row.default,
      source: DEFAULT,
      folder: cwd,
      parsed: row.schema !== undefined,
    }))
}

const hidden = (row: Row<unknown>): string =>
  `not usable as ${row.kind.name} (the value is secret and not shown)`

function missing(key: string, table: SettingsTable, prefix: string): string {
  const row = table[key]!
  const name = nameOf(key, row)
  if (row.schema !== undefined) return `is missing: add "${name}:" to the file`
  const ways = [
    flagOf(name),
    variableOf(prefix, name),
    ...('config' in table ? [`"${name}:" in the file`] : []),
  ]
  return `is missing: set ${ways.join(', or ')}`
}
