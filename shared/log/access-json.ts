// The access line as JSON. It has the text of JSON.stringify for the fields in the order of AccessFields. The line is put together
// here because JSON.stringify takes twice as long: it reads the names of all fields, and formats durations as numbers of any size.

import type { AccessFields } from './fields.ts'
import { isoTimes } from './iso-times.ts'
import { escaped, numeral } from './json-text.ts'
import { KnownTexts } from './known-texts.ts'

export type AccessLevel = 'info' | 'warn'

/**
 * Returns a function that returns the line of a record. The values of the record are safe already (safe-fields.ts). `base`: the
 * members of each line after the time, with a comma before each. `timeMs`: milliseconds since 1970.
 */
export function accessJson(
  base: string,
): (record: AccessFields, level: AccessLevel, timeMs: number) => string {
  const isoTime = isoTimes()
  const start = `"${base},"msg":"request","requestId":"`
  return (record, level, timeMs) => {
    const before = level === 'info' ? '{"level":"info","time":"' : '{"level":"warn","time":"'
    return before + isoTime(timeMs) + start + escaped(record.requestId) + request(record) + outcome(record)
  }
}

/** From the end of the request id to the route. */
function request(record: AccessFields): string {
  const { method, host, path, status, durationMs, bytesIn, bytesOut, remoteAddress } = record
  return (
    `","method":"${escaped(method)}","host":"${escaped(host)}","path":"${escaped(path)}","status":` +
    `${numeral(status)},"durationMs":${numeral(durationMs)},"bytesIn":${numeral(bytesIn)},"bytesOut":` +
    `${numeral(bytesOut)},"remoteAddress":"${escaped(remoteAddress)}"`
  )
}

const PROTOCOL = new KnownTexts('protocol')
const ROUTE = new KnownTexts('route')
const MOUNT = new KnownTexts('mount')
const SERVICE = new KnownTexts('service')
const TELEPHONE = new KnownTexts('telephoneId')
const PEER = new KnownTexts('peer')
const SUBSET = new KnownTexts('subset')
const LIMIT = new KnownTexts('limit')

function outcome(record: AccessFields): string {
  const { headMs, backendMs, retries, code, cause, detail, traceId, replayOf, userAgent, sampleRate } = record
  let text = PROTOCOL.of(record.protocol) + ROUTE.of(record.route) + MOUNT.of(record.mount)
  text += SERVICE.of(record.service) + TELEPHONE.of(record.telephoneId) + PEER.of(record.peer)
  text += SUBSET.of(record.subset)
  if (headMs !== undefined) text += `,"headMs":${numeral(headMs)}`
  if (backendMs !== undefined) text += `,"backendMs":${numeral(backendMs)}`
  if (retries !== undefined) text += `,"retries":${numeral(retries)}`
  text += LIMIT.of(record.limit)
  if (code !== undefined) text += `,"code":"${escaped(code)}"`
  if (cause !== undefined) text += `,"cause":"${escaped(cause)}"`
  if (detail !== undefined) text += `,"detail":"${escaped(detail)}"`
  if (traceId !== undefined) text += `,"traceId":"${escaped(traceId)}"`
  if (replayOf !== undefined) text += `,"replayOf":"${escaped(replayOf)}"`
  if (userAgent !== undefined) text += `,"userAgent":"${escaped(userAgent)}"`
  if (sampleRate !== undefined) text += `,"sampleRate":${numeral(sampleRate)}`
  return `${text}}\n`
}
