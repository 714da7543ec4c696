// The log of a Telephone that shows status lines: warnings and errors of its parts become lines for the person at the terminal. Lines of
// other levels have a status line of their own, or are of no interest there.

import { safeText } from '@vera-stack/shared/log/safe-fields.ts'
import type { LogFields, Logger } from '@vera-stack/shared/log.ts'
import { sentence } from '../../sentence.ts'
import type { Terminal } from './terminal.ts'
import { type Mark, marked } from './words.ts'

export function terminalLogger({ out, colours }: Pick<Terminal, 'out' | 'colours'>): Logger {
  const print = (mark: Mark, message: string, fields: LogFields): void =>
    out(`${marked(mark, safeText(lineOf(message, fields)), colours)}\n`)
  const nothing = (): void => undefined
  const logger: Logger = {
    debug: nothing,
    info: nothing,
    warn: (message, fields = {}) => print('warn', message, fields),
    error: (message, fields = {}) => print('bad', message, fields),
    enabled: level => level === 'warn' || level === 'error',
    child: () => logger,
  }
  return logger
}

/** Returns a text such as `the OTLP receiver is unavailable: http://localhost:4318/v1/metrics, connect ECONNREFUSED`. */
function lineOf(message: string, { url, detail, remedy, err, count }: LogFields): string {
  const error = err instanceof Error ? err.message : err === undefined ? undefined : String(err)
  const parts = [url, count, detail, error].filter(part => part !== undefined && part !== '')
  const text = parts.length === 0 ? message : `${message}: ${parts.join(', ')}`
  return remedy === undefined ? text : `${sentence(text)} ${remedy}`
}
