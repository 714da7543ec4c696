// Formats log lines for a person: time, level, message, then the fields. The caller decides whether a line has colours.

import { styleText } from 'node:util'

const LEVELS = {
  debug: ['DEBUG', 'gray'],
  info: ['INFO ', 'green'],
  warn: ['WARN ', 'yellow'],
  error: ['ERROR', 'red'],
  fatal: ['FATAL', 'red'],
} as const

/** Returns the text of a log line. `record` is the parsed JSON line. Errors come last, with their stack, indented. */
export function readable(record: Readonly<Record<string, unknown>>, colours: boolean): string {
  const { time, level, msg, err, ...fields } = record
  const paint = (format: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(format, text, { validateStream: false }) : text
  const [label, colour] = LEVELS[level as keyof typeof LEVELS] ?? [String(level), 'white']
  const pairs = Object.entries(fields).map(([key, value]) => ` ${paint('gray', `${key}=`)}${shown(value)}`)
  const clockTime = String(time).slice(11, 23)
  return `${paint('gray', clockTime)} ${paint(colour, label)} ${String(msg)}${pairs.join('')}${errorText(err)}\n`
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  // The text may come from a client. Its control characters must not reach the terminal.
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return ''
  const { stack, message, cause } = err as { stack?: unknown; message?: unknown; cause?: unknown }
  const caused = errorText(cause).trimStart()
  const text = `${String(stack ?? message)}${caused === '' ? '' : `\ncaused by: ${caused}`}`
  return `\n    ${text.replaceAll('\n', '\n    ')}`
}
