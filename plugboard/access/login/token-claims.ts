// Compares the claims of a verified token with the claims and scopes that a route requires, and converts claims to fields for
// the backend.

import type { JwtRules } from '../../routes/rules/access-rules.ts'

type Claims = Readonly<Record<string, unknown>>

/** Returns a claim by its name, or by a JSON pointer into the claims (RFC 6901). */
export function claimOf(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return Object.hasOwn(claims, name) ? claims[name] : undefined
  let value: unknown = claims
  for (const part of name.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    // Only elements of an array can be claims; its length cannot.
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** True when every required claim has one of its accepted values. */
export function hasRequiredClaims(claims: Claims, required: JwtRules['claims']): boolean {
  return Object.entries(required ?? {}).every(([name, wanted]) => {
    const value = claimOf(claims, name)
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    const accepted: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted]
    return values.some(each => accepted.includes(each))
  })
}

/** True when every scope is in `scope` (RFC 8693) or in `scp`, each of them a text or a list. */
export function hasScopes(claims: Claims, scopes: readonly string[] | undefined): boolean {
  if (scopes === undefined) return true
  const held = new Set([claims.scope, claims.scp].flatMap(scopesIn))
  return scopes.every(scope => held.has(scope))
}

function scopesIn(value: unknown): readonly unknown[] {
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value : []
}

/** Returns the fields for the backend: name, value, name, value. A missing claim has no field. */
export function forwardedFields(claims: Claims, forward: JwtRules['forward']): string[] {
  return Object.entries(forward ?? {}).flatMap(([name, field]) => {
    const text = textOf(claimOf(claims, name))
    return text === undefined ? [] : [field, text]
  })
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return fieldText(value)
  const flat = Array.isArray(value) && value.every(each => typeof each !== 'object')
  return fieldText(flat ? value.join(',') : JSON.stringify(value))
}

/**
 * Returns any text as the value of a field. Characters outside printable ASCII, `%`, and blanks at the ends are
 * percent-encoded as UTF-8, so that decodeURIComponent restores the text and no claim can contain a line break.
 */
export function fieldText(text: string): string {
  const encoded = text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, part => encodeURIComponent(part))
  let start = 0
  let end = encoded.length
  while (encoded[start] === ' ') start += 1
  while (end > start && encoded[end - 1] === ' ') end -= 1
  return '%20'.repeat(start) + encoded.slice(start, end) + '%20'.repeat(encoded.length - end)
}
