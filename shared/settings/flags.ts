// Flags: adds the options of the settings to a command line parser (commander), and reads its result. The parser itself rejects
// unknown flags and suggests the right ones.

import { flagOf, nameOf, type Row, type SettingsTable, variableOf } from './row.ts'
import type { Reading, SettingCandidate } from './source.ts'

/** The heading of commander's own options. */
const GENERAL = 'Options:'
/** Most characters of a placeholder. */
const MAX_PLACEHOLDER = 20

/** The part of commander's Command that this file uses. */
export interface OptionHost {
  /** Sets the heading of the options that are added next. */
  optionsGroup(heading: string): unknown
  option(flags: string, description: string): unknown
  option(
    flags: string,
    description: string,
    collect: (value: string, previous: readonly string[] | undefined) => readonly string[],
  ): unknown
}

/**
 * Adds one option per row, under the heading of its group, with default and variable in its help. The parser gets no
 * defaults, because it must not return a value that the user has not typed.
 */
export function addOptions(command: OptionHost, table: SettingsTable, prefix: string): void {
  for (const [key, row] of Object.entries(table)) {
    if (row.schema !== undefined) continue
    command.optionsGroup(row.group === undefined ? GENERAL : `${row.group}:`)
    const name = nameOf(key, row)
    const placeholder = placeholderOf(row)
    const short = row.short === undefined ? '' : `-${row.short}, `
    const description = optionHelp(row, variableOf(prefix, name))
    if (row.kind.name === 'yes or no') {
      command.option(`${short}${flagOf(name)}`, description)
      command.option(`--no-${flagOf(name).slice(2)}`, `the opposite of ${flagOf(name)}`)
    } else if (row.kind.name === 'list') {
      const collect = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]
      command.option(`${short}${flagOf(name)} <${placeholder}>`, description, collect)
    } else {
      const value = row.bare === undefined ? `<${placeholder}>` : `[${placeholder}]`
      command.option(`${short}${flagOf(name)} ${value}`, description)
    }
  }
  command.optionsGroup(GENERAL)
}

/** Returns the text for the value. A long list of choices becomes `choice`, because it would leave no room for descriptions. */
function placeholderOf({ kind }: Row<unknown>): string {
  return kind.placeholder.length > MAX_PLACEHOLDER ? 'choice' : kind.placeholder
}

function optionHelp(row: Row<unknown>, variable: string): string {
  // The text of an empty list is empty too.
  const defaultText = String(row.default ?? '')
  const notes = [
    placeholderOf(row) === row.kind.placeholder ? '' : `one of ${row.kind.name}`,
    row.bounds,
    defaultText === '' ? '' : `default ${defaultText}`,
    row.bare === undefined ? '' : `without a value ${row.bare}`,
    `${variable}${row.secret ? ' or _FILE' : ''}`,
  ]
  return `${row.help} (${notes.filter(note => note !== '').join('; ')})`
}

/**
 * Reads the settings from `flags`, which is commander's `opts()`. Ignores keys that are not settings: they belong to the
 * command.
 */
export function readFlags(
  table: SettingsTable,
  flags: Readonly<Record<string, unknown>>,
  argumentKeys: readonly string[],
  cwd: string,
): Reading {
  const candidates: SettingCandidate[] = []
  for (const [key, row] of Object.entries(table)) {
    const name = nameOf(key, row)
    const raw = flags[name]
    if (raw === undefined) continue
    const flag = raw === false ? `--no-${flagOf(name).slice(2)}` : flagOf(name)
    const label = argumentKeys.includes(key) ? `argument <${key}>` : `flag ${flag}`
    // The parser returns true for a flag without its optional value.
    candidates.push({
      key,
      raw: raw === true && row.bare !== undefined ? row.bare : raw,
      source: { kind: 'flag', label },
      folder: cwd,
    })
  }
  return { candidates, problems: [] }
}
