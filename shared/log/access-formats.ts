// The formats of access lines. The values are safe already (safe-fields.ts): bounded, without secrets, and without control
// characters in texts of clients. `json` is the hot one.

import { isIP } from 'node:net'
import { ACCESS_FIELDS } from './access-fields.ts'
import type { AccessFields } from './fields.ts'

export const ACCESS_LOG_FORMATS = ['json', 'text', 'combined', 'ecs'] as const
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number]

/** The version of the Elastic Common Schema whose names the format `ecs` uses. */
const ECS_VERSION = '9.0.0'

/** Returns the line in the Combined Log Format of Apache. Referer is never logged, because its query may hold secrets. */
export function combinedLine(record: AccessFields, timeMs: number): string {
  const { remoteAddress, method, path, protocol = '', status, bytesOut, userAgent } = record
  const request = method === '' ? '-' : `${method} ${path || '-'} ${VERSIONS[protocol] ?? 'HTTP/1.1'}`
  const size = bytesOut === 0 ? '-' : bytesOut
  return `${remoteAddress || '-'} - - [${timeOfCombined(timeMs)}] "${quoted(request)}" ${status} ${size} "-" "${quoted(userAgent ?? '-')}"\n`
}

/** Returns the line with the field names of the Elastic Common Schema, dotted. `replicaId`: undefined in a program without one. */
export function ecsLine(
  record: AccessFields,
  level: string,
  timeMs: number,
  replicaId: string | undefined,
): string {
  const { code, cause, status, protocol, remoteAddress, durationMs } = record
  const line: Record<string, unknown> = {
    '@timestamp': new Date(timeMs).toISOString(),
    'log.level': level,
    message: 'request',
    'ecs.version': ECS_VERSION,
    'service.name': 'plugboard',
    'service.node.name': replicaId,
    'event.dataset': 'plugboard.access',
    'event.category': ['web'],
    'event.type': ['access'],
    'event.outcome': code === undefined && cause === undefined && status < 400 ? 'success' : 'failure',
    'client.ip': isIP(remoteAddress) === 0 ? undefined : remoteAddress,
  }
  for (const [key, value] of Object.entries(record) as [keyof AccessFields, unknown][]) {
    line[ACCESS_FIELDS[key].ecs] = value
  }
  line['http.version'] = protocol === undefined ? undefined : VERSIONS[protocol]?.slice('HTTP/'.length)
  line['event.duration'] = Math.round(durationMs * 1e6)
  return `${JSON.stringify(line)}\n`
}

const VERSIONS: Readonly<Record<string, string>> = {
  'http/1.0': 'HTTP/1.0',
  'http/1.1': 'HTTP/1.1',
  h2: 'HTTP/2.0',
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (number: number): string => String(number).padStart(2, '0')

/** Returns `02/Jan/2026:03:04:05 +0000`. */
function timeOfCombined(timeMs: number): string {
  const date = new Date(timeMs)
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`
  return `${day}:${date.toISOString().slice(11, 19)} +0000`
}

/** Escapes quotes, backslashes and all bytes outside of printable ASCII, as Apache does. */
function quoted(text: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return text
  let out = ''
  for (const byte of Buffer.from(text)) {
    if (byte === 0x22 || byte === 0x5c) out += `\\${String.fromCharCode(byte)}`
    else if (byte >= 0x20 && byte < 0x7f) out += String.fromCharCode(byte)
    else out += `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return out
}
