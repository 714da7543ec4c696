// Log lines for a person: time, level, message, then the fields. Colours only where the caller says so.

import { styleText } from 'node:util'

const LEVELS = {
  debug: ['DEBUG', 'gray'],
  info: ['INFO ', 'green'],
  warn: ['WARN ', 'yellow'],
  error: ['ERROR', 'red'],
  fatal: ['FATAL', 'red'],
} as const

/** `record`: a parsed JSON line of ours. Errors come last, with their stack, indented. */
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
  // Control characters in a client's bytes must not reach the terminal.
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text)
}

function errorText(err: unknown): string {
  if (typeof err !== 'object' || err === null) return ''
  const { stack, message, cause } = err as { stack?: unknown; message?: unknown; cause?: unknown }
  const caused = errorText(cause).trimStart()
  const text = `${String(stack ?? message)}${caused === '' ? '' : `\ncaused by: ${caused}`}`
  return `\n    ${text.replaceAll('\n', '\n    ')}`
}
