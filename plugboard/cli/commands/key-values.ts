// Parses `key=value` arguments into a JSON object: `retries=3`, `idleTimeoutMs=5m`, `maxStreams=null`. The server checks the
// keys and values.

import { parseBytes, parseDuration } from '@vera-stack/shared/settings/kind.ts'
import { usageError } from '../cli-error.ts'

/** Returns the pairs as an object. `option`: the name of the flag, for errors. */
export function keyValues(pairs: readonly string[], option: string): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals <= 0) throw usageError(`${option}: "${pair}" is not of the form key=value`)
    const key = pair.slice(0, equals)
    if (key === '__proto__') throw usageError(`${option}: "${key}" cannot be used as a key`)
    values[key] = parseValue(key, pair.slice(equals + 1), option)
  }
  return values
}

/** Returns the values as a text for people: `retries=3 balancing=random`. */
export function keyValuesText(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}

function parseValue(key: string, text: string, option: string): unknown {
  if (text === 'null' || text === '') return null
  if (/^-?\d+$/.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  const parse = key.endsWith('Ms') ? parseDuration : key.endsWith('Bytes') ? parseBytes : undefined
  const parsed = parse?.(text)
  if (parsed?.ok === false) throw usageError(`${option} ${key}: ${parsed.problem}`)
  if (parsed !== undefined) return parsed.value
  if (!text.startsWith('{') && !text.startsWith('[')) return text
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw usageError(`${option} ${key}: not valid JSON (${(error as Error).message})`)
  }
}
