// The progress of a long command, as one line of the terminal that is written again and again. Programs and files get no progress.

import type { CliContext } from '../api/api-command.ts'

export class Progress {
  readonly #context: CliContext
  #shown = ''

  constructor(context: CliContext) {
    this.#context = context
  }

  /** Shows a text in the place of the text before. No effect when the output is not a terminal. */
  show(text: string): void {
    const { terminal } = this.#context
    if (terminal.columns === undefined || text === this.#shown) return
    terminal.err(`\r${text.slice(0, terminal.columns - 1)}\u001b[K`)
    this.#shown = text
  }

  /** Removes the line. */
  end(): void {
    if (this.#shown !== '') this.#context.terminal.err('\r\u001b[K')
    this.#shown = ''
  }
}

/** Shows the rows that were sent, and then that the server compares and writes. A small bundle shows no progress. */
export function bundleProgress(progress: Progress): (sent: number, total: number) => void {
  return (sent, total) => {
    if (total < MIN_ROWS) return
    if (sent < total) progress.show(`${percent(sent, total)} of ${total} services and routes checked`)
    else progress.show(`${total} services and routes checked; the server compares and writes them …`)
  }
}

const MIN_ROWS = 1000

const percent = (part: number, whole: number): string => `${Math.floor((100 * part) / whole)} %`
