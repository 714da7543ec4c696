// A captured request as a curl command that a person can paste into a shell. Masked values are left out and named in a comment. Texts of
// clients and backends are quoted, and their control characters are escaped, so that the shell and the terminal do not interpret them.

import { fieldValue } from '../masking/field-pairs.ts'
import { hasMask } from '../masking/has-mask.ts'
import type { CapturedExchange } from './captured-exchange.ts'
import { unmaskedTarget, urlOf } from './exchange-parts.ts'

/** Fields that curl sends by itself, or that end at each hop. With Via, Plugboard would take the command for a forwarding loop. */
const LEFT_TO_CURL: ReadonlySet<string> = new Set([
  'via',
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'te',
  'keep-alive',
  'content-encoding',
])

export function curlText(exchange: CapturedExchange): string {
  const { received, scheme, request } = exchange
  const { body, fields, target } = received
  const notes: string[] = []
  const plain = unmaskedTarget(target)
  if (plain === undefined) notes.push('The path has masked parts: write them into the URL.')
  const masked = [
    ...fields.filter(([, value]) => hasMask(value)).map(([name]) => name),
    ...(plain?.leftOut ?? []),
  ]
  if (masked.length > 0) notes.push(`Left out, because they are masked: ${masked.join(', ')}.`)
  if (body !== null && (body.text === null || body.isCut)) notes.push('The body is incomplete.')
  else if (body?.text != null && hasMask(body.text)) notes.push('The body has masked values.')
  const host = fieldValue(fields, 'host') ?? request.host
  const url = target.startsWith('/') ? `${scheme}://${host}${(plain ?? { target }).target}` : urlOf(exchange)
  // curl waits for the body of a response to `--request HEAD`.
  const method = received.method === 'HEAD' ? '--head' : `--request ${quoted(received.method)}`
  const lines = [`curl ${quoted(url)}`, method]
  // Otherwise curl takes [1-9] and {a,b} for patterns, and sends a request for each of their URLs.
  if (/[[\]{}]/.test(url)) lines.push('--globoff')
  // Otherwise curl removes /../ from the path.
  if (/\/\.{1,2}(?:[/?]|$)/.test(url)) lines.push('--path-as-is')
  for (const [name, value] of fields)
    if (!LEFT_TO_CURL.has(name.toLowerCase()) && !hasMask(value))
      // With a colon, curl would leave out a field without a value.
      lines.push(`--header ${quoted(value === '' ? `${name};` : `${name}: ${value}`)}`)
  if (body?.text != null) lines.push(`--data-raw ${quoted(body.text)}`)
  const comments = notes.map(note => `# ${note.replace(CONTROLS, ' ')}\n`).join('')
  return `${comments}${lines.join(' \\\n  ')}\n`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are escaped
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are escaped
const NEEDS_ESCAPES = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/

/** Returns the text in single quotes; with control characters in ANSI-C quotes, which bash and zsh read. */
function quoted(text: string): string {
  if (!NEEDS_ESCAPES.test(text)) return `'${text.replaceAll("'", "'\\''")}'`
  const escaped = text.replace(/[\\']/g, '\\$&').replace(CONTROLS, character => {
    const code = character.charCodeAt(0)
    return code < 0x80
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
  return `$'${escaped}'`
}
