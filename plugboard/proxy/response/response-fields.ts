// One pass over the header list of a response from a tunnel. It removes hop-by-hop fields and `Plugboard-*`, and notes the
// length. A Telephone may be hostile: this file refuses fields that would break the framing of the client's response. Node
// refuses fields with invalid syntax when they are written.

import {
  equalsIgnoringCase,
  FIELD,
  fieldOf,
  nominatedFields,
  parseContentLength,
  removeFields,
} from '@vera-stack/shared/http/headers.ts'
import { isOurs } from '../edge/field-kind.ts'

/** The facts about a response that its fields state. */
export interface ResponseFields {
  readonly fields: string[]
  /** -1 without Content-Length. */
  readonly contentLength: number
  /** True when the response has a Date. */
  readonly dated: boolean
  /** True when it announces trailers, which require chunked framing. */
  readonly trailer: boolean
  /** The protocol that a 101 switches to; empty without one. */
  readonly upgrade: string
}

/** Reads the fields. Returns undefined for two lengths, or a malformed one (row R8). `via`: the line that this hop adds. */
export function readResponseFields(
  raw: readonly string[],
  requestId: string,
  via: string,
): ResponseFields | undefined {
  const fields: string[] = []
  let contentLength = -1
  let dated = false
  let trailer = false
  let upgrade = ''
  let named: string | undefined
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string
    const value = raw[index + 1] as string
    switch (fieldOf(name)) {
      case FIELD.other:
        if (!isOurs(name)) fields.push(name, value)
        break
      case FIELD.contentLength: {
        const length = parseContentLength(value)
        if (length === undefined || contentLength !== -1) return undefined
        contentLength = length
        break
      }
      case FIELD.date:
        if (dated) break
        dated = true
        fields.push(name, value)
        break
      case FIELD.trailer:
        trailer = true
        fields.push(name, value)
        break
      case FIELD.connection:
        named = named === undefined ? value : `${named}, ${value}`
        break
      case FIELD.upgrade:
        upgrade = value
        break
      case FIELD.hopByHop:
      case FIELD.transferEncoding:
      case FIELD.te:
      case FIELD.requestId:
        break
      default:
        fields.push(name, value)
    }
  }
  const nominated = named === undefined ? undefined : nominatedFields(named)
  if (nominated !== undefined) removeFields(fields, nominated)
  fields.push('X-Request-ID', requestId, 'Via', via)
  return { fields, contentLength, dated, trailer, upgrade }
}

/** Returns the fields of a 1xx response that are relayed to the client. */
export function readInterimFields(raw: readonly string[]): string[] {
  const fields: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string
    const field = fieldOf(name)
    if ((field === FIELD.other || field === FIELD.date || field === FIELD.via) && !isOurs(name)) {
      fields.push(name, raw[index + 1] as string)
    }
  }
  return fields
}

export function removeTrailerField(fields: string[]): void {
  for (let index = fields.length - 2; index >= 0; index -= 2) {
    if (equalsIgnoringCase(fields[index] as string, 'trailer')) fields.splice(index, 2)
  }
}
