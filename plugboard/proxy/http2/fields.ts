// Converts the fields of a response to HTTP/2 (RFC 9113 section 8.2): names in lower case, without the fields that concern a
// connection. nghttp2 does not validate the fields that it sends, so this file does.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import { FIELD, fieldOf } from '@vera-stack/shared/http/headers.ts'

/** Returns names and values, alternating. Returns undefined when one of them is not valid HTTP. */
export function http2Fields(fields: readonly string[]): string[] | undefined {
  const written: string[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = (fields[index] as string).toLowerCase()
    const value = fields[index + 1] as string
    if (isAboutConnection(name)) continue
    if (!isField(name, value)) return undefined
    written.push(name, value)
  }
  return written
}

/** Like `http2Fields`, for calls of Node that expect an object: each name once, with all its values. */
export function http2FieldMap(fields: readonly string[]): Record<string, string[]> | undefined {
  const written = http2Fields(fields)
  if (written === undefined) return undefined
  const byName: Record<string, string[]> = Object.create(null)
  for (let index = 0; index + 1 < written.length; index += 2) {
    const name = written[index] as string
    byName[name] ??= []
    byName[name].push(written[index + 1] as string)
  }
  return byName
}

function isAboutConnection(name: string): boolean {
  const field = fieldOf(name)
  return (
    field === FIELD.connection ||
    field === FIELD.hopByHop ||
    field === FIELD.transferEncoding ||
    field === FIELD.upgrade
  )
}

function isField(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}
