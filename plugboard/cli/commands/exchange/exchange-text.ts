// A captured exchange as text for people. Clients and backends choose its texts, so control characters are replaced.

import { printable } from '@vera-stack/shared/text/printable.ts'
import type { ExchangeBody, ExchangeSummaryBody, ReplayedBody } from '../../../admin/api-types.ts'
import { requestText } from '../request/request-text.ts'

const REPLACEMENT = '\u{FFFD}'
type Body = ExchangeBody['received']['body']
type Pairs = readonly (readonly [string, string])[]

/** Returns one line: the line of the live log, followed by the id of the exchange. */
export function exchangeText({ id, open, replayOf, request }: ExchangeSummaryBody): string {
  const parts = [
    requestText(request),
    open ? 'open' : undefined,
    replayOf && `replay of ${replayOf}`,
    `exchange ${id}`,
  ]
  return printable(parts.filter(Boolean).join('  '), REPLACEMENT)
}

/** Returns the request and the response in the form of HTTP/1.1 messages. */
export function messageText({ received, interim, sent }: ExchangeBody): string {
  const parts = [
    `${received.method} ${received.target}`,
    ...fieldLines(received.fields),
    ...bodyLines(received.body, received.trailers),
  ]
  for (const { status, fields } of interim) parts.push('', String(status), ...fieldLines(fields))
  if (sent === null) parts.push('', 'no response')
  else {
    const origin = sent.isLocal ? ' (from Plugboard)' : ''
    parts.push(
      '',
      `${sent.status} ${sent.statusText}${origin}`,
      ...fieldLines(sent.fields),
      ...bodyLines(sent.body, sent.trailers),
    )
  }
  return `${parts.flatMap(part => part.split(/\r?\n/).map(line => printable(line, REPLACEMENT))).join('\n')}\n`
}

const fieldLines = (fields: Pairs): string[] => fields.map(([name, value]) => `${name}: ${value}`)

function bodyLines(body: Body, trailers: Pairs | null): string[] {
  const lines = trailers === null ? [] : ['', ...fieldLines(trailers)]
  if (body === null) return lines
  const note = body.omitted === null ? 'only the beginning is kept' : body.omitted
  const cut = body.isCut ? [`[${body.bytes} bytes: ${note}]`] : []
  return ['', ...(body.text === null ? [] : [body.text]), ...cut, ...lines]
}

/** Returns the differences between the responses of an exchange and its replay, a line each. */
export function diffText({ diff, leftOut, exchange }: ReplayedBody): string {
  const { status, fields, body } = diff
  const lines = [
    status.before === status.after
      ? `status ${status.after}, as before`
      : `status ${status.before ?? 'none'} → ${status.after ?? 'none'}`,
    ...fields.map(({ name, before, after }) => `${name}: ${listText(before)} → ${listText(after)}`),
    body.equal
      ? `body equal, ${body.bytes.after} bytes`
      : `body differs, ${body.bytes.before} → ${body.bytes.after} bytes`,
    ...body.differences.map(
      ({ at, before, after }) => `  ${at || '/'}: ${before ?? 'none'} → ${after ?? 'none'}`,
    ),
    ...(body.more === 0 ? [] : [`  ${body.more} more`]),
    ...(leftOut.length === 0 ? [] : [`left out, because it is masked: ${leftOut.join(', ')}`]),
    `exchange ${exchange.id}`,
  ]
  return lines.map(line => printable(line, REPLACEMENT)).join('\n')
}

const listText = (values: readonly string[]): string => (values.length === 0 ? 'none' : values.join(', '))
