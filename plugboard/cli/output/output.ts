// The output of commands: tables for people, JSON or YAML for programs.

import { styleText } from 'node:util'
import { printable } from '@vera-stack/shared/text/printable.ts'

export type OutputFormat = 'table' | 'json' | 'yaml'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | null | undefined
  /** True when the text may be cut so that the table fits on a terminal. */
  readonly canCut?: boolean
}

/** The destination of the text. A test provides its own. */
export interface OutputTerminal {
  readonly out: (text: string) => unknown
  readonly err: (text: string) => unknown
  readonly colours: boolean
  /** Characters in a line of the terminal; undefined when the output is not a terminal. Then no text is cut. */
  readonly columns?: number | undefined
}

export class Output {
  readonly #terminal: OutputTerminal
  readonly #format: OutputFormat
  readonly #dryRun: boolean
  /** True after a table. Then a blank line comes before the next one. */
  #hasTable = false

  /** `dryRun`: marks the lines about changes, which were only checked. */
  constructor(terminal: OutputTerminal, format: OutputFormat, dryRun = false) {
    this.#terminal = terminal
    this.#dryRun = dryRun
    this.#format = format
  }

  get format(): OutputFormat {
    return this.#format
  }

  /** Writes rows as a table. When there are no rows, writes the text of the argument `none`. */
  async rows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], none: string): Promise<void> {
    if (this.#format !== 'table') return await this.#data(rows)
    if (rows.length === 0) return this.note(none)
    const cells = rows.map(row => columns.map(column => cellOf(column.value(row))))
    const full = columns.map(({ title }, i) => Math.max(title.length, ...cells.map(line => line[i]!.length)))
    const widths = this.#fitted(full, columns)
    const lineOf = (line: readonly string[]): string =>
      line
        .map((cell, i) => (widths[i]! < full[i]! ? ellipsis(cell, widths[i]!) : cell))
        .map((cell, i) => (i === line.length - 1 ? cell : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd()
    const head = lineOf(columns.map(({ title }) => title.toUpperCase()))
    this.#terminal.out(`${this.#paint(head)}\n${cells.map(line => `${lineOf(line)}\n`).join('')}`)
    this.#hasTable = true
  }

  /**
   * Writes a further table of the same response for people; nothing when it has no rows. Programs already have the whole response.
   */
  async section<Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): Promise<void> {
    if (this.#format !== 'table' || rows.length === 0) return
    this.#separate()
    this.#terminal.out(`${title}\n`)
    await this.rows(rows, columns, '')
  }

  /** Writes one row, a field per line. Programs get `whole`. */
  async row<Row>(whole: Row, columns: readonly Column<Row>[]): Promise<void> {
    if (this.#format !== 'table') return await this.#data(whole)
    this.#separate()
    const width = Math.max(...columns.map(({ title }) => title.length))
    for (const { title, value } of columns) {
      this.#terminal.out(`${this.#paint(title.padEnd(width))}  ${cellOf(value(whole))}\n`)
    }
  }

  /** Writes a line for people. Programs get `whole` instead. */
  async done<Row>(whole: Row, line: string): Promise<void> {
    if (this.#format !== 'table') return await this.#data(whole)
    this.#terminal.out(`${this.#dryRun ? 'dry run: ' : ''}${line}\n`)
  }

  /** Writes a secret alone to the standard output, so that `x=$(plugboard …)` works. The note goes to the standard error. */
  async secret<Row>(whole: Row, secret: string, note: string): Promise<void> {
    if (this.#dryRun) return await this.done(whole, 'the request is valid; no secret was created')
    if (this.#format !== 'table') return await this.#data(whole)
    this.#terminal.err(`${note}\n`)
    this.#terminal.out(`${secret}\n`)
  }

  note(line: string): void {
    this.#terminal.err(`${line}\n`)
  }

  /** Writes one event of a stream: as a line of JSON, a YAML document, or `line`. */
  async event<Row>(whole: Row, line: string): Promise<void> {
    if (this.#format === 'yaml') this.#terminal.out('---\n')
    if (this.#format === 'json') this.#terminal.out(`${JSON.stringify(whole)}\n`)
    else await this.done(whole, line)
  }

  /** Takes width from the widest column that may be cut, until the table fits on the terminal. */
  #fitted<Row>(full: readonly number[], columns: readonly Column<Row>[]): readonly number[] {
    const widths = [...full]
    const { columns: available = Number.POSITIVE_INFINITY } = this.#terminal
    let excess = widths.reduce((sum, width) => sum + width + 2, -2) - available
    for (; excess > 0; excess -= 1) {
      let widest = -1
      for (const [i, width] of widths.entries()) {
        const { title, canCut = false } = columns[i]!
        if (canCut && width > Math.max(MIN_CUT, title.length) && width > (widths[widest] ?? 0)) widest = i
      }
      if (widest === -1) break
      widths[widest]! -= 1
    }
    return widths
  }

  async #data(value: unknown): Promise<void> {
    const text =
      this.#format === 'json'
        ? `${JSON.stringify(value, null, 2)}\n`
        : (await import('yaml')).stringify(value)
    this.#terminal.out(text)
  }

  #separate(): void {
    if (this.#hasTable) this.#terminal.out('\n')
    this.#hasTable = true
  }

  #paint(text: string): string {
    return this.#terminal.colours ? styleText('bold', text, { validateStream: false }) : text
  }
}

/** Returns the text of a cell without control characters, because names and labels are foreign text. */
function cellOf(value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === '') return '-'
  return printable(String(value), '�')
}

/** The smallest number of characters of a cut text. */
const MIN_CUT = 10

const ellipsis = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1).trimEnd()}…`

/** Returns `10m`, `1h 30m`, `7d`. */
export function durationText(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const
  let left = Math.round(seconds)
  const parts = units.flatMap(([length, unit]) => {
    const count = Math.floor(left / length)
    left -= count * length
    return count === 0 ? [] : [`${count}${unit}`]
  })
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join(' ')
}

/** Returns `3m ago`, `in 29d`. One unit is precise enough for people. */
export function relative(timestamp: string | null, now: number): string {
  if (timestamp === null) return '-'
  const ms = Date.parse(timestamp) - now
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
  ] as const
  // A lifetime of 30d that began a moment ago is "in 30d", not "in 29d".
  const rounding = ms > 0 ? 0.01 : 0
  const count = (length: number): number => Math.floor(Math.abs(ms) / length + rounding)
  const [size, unit] = units.find(([length]) => count(length) >= 1) ?? [1000, 's']
  const amount = `${count(size)}${unit}`
  return ms < 0 ? `${amount} ago` : `in ${amount}`
}
