// Prints each setting with its value and source (secrets as ***), and writes the table of all settings for a document.

import { flagOf, type LoadedSettings, nameOf, type Row, type SettingsTable, variableOf } from './row.ts'

/** One line per setting: name, value, source. Secrets are `***`. */
export function describeSettings<Table extends SettingsTable>(
  table: Table,
  loaded: LoadedSettings<Table>,
): string {
  const rows = Object.entries(table).map(([key, row]) => {
    const value: unknown = loaded.values[key]
    return [nameOf(key, row), shown(row, value), `(${loaded.sources[key]!.label})`] as const
  })
  const nameWidth = Math.max(...rows.map(([name]) => name.length))
  const valueWidth = Math.min(40, Math.max(...rows.map(([, value]) => value.length)))
  return rows
    .map(([name, value, source]) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join('')
}

function shown(row: Row<unknown>, value: unknown): string {
  if (value === undefined) return '-'
  return row.secret ? '***' : row.kind.format(value)
}

/** Returns a Markdown table of all settings. `npm run docs` writes it into the page of the program. */
export function settingsMarkdown(table: SettingsTable, prefix: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const code = (text: string): string => `\`${cell(text)}\``
  const lines = Object.entries(table).map(([key, row]) => {
    const name = nameOf(key, row)
    const inFileOnly = row.schema !== undefined
    return [
      code(name),
      inFileOnly ? '' : code(flagOf(name)),
      inFileOnly ? '' : [variableOf(prefix, name), ...row.variables].map(code).join(', '),
      cell(row.kind.name),
      defaultText(row),
      cell(row.bounds === '' ? row.help : `${row.help} (${row.bounds})`),
    ]
  })
  const header = ['In the file', 'Flag', 'Variable', 'Kind', 'Default', 'Meaning']
  return [header, header.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

function defaultText(row: Row<unknown>): string {
  if (row.required) return 'required'
  const text = row.default === undefined ? '' : String(row.default)
  return text === '' ? '' : `\`${text}\``
}
