// What a verified token says, held against what a route wants: required claims and scopes, and what of it the backend is
// told.

import type { JwtRules } from '../../routes/rules/access-rules.ts'

type Claims = Readonly<Record<string, unknown>>

/** A claim by its name, or by a JSON pointer into the claims (RFC 6901). */
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

/** Every required claim has one of its values. */
export function hasRequiredClaims(claims: Claims, required: JwtRules['claims']): boolean {
  return Object.entries(required ?? {}).every(([name, wanted]) => {
    const value = claimOf(claims, name)
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    const accepted: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted]
    return values.some(each => accepted.includes(each))
  })
}

/** Every scope is in `scope` (RFC 8693) or in `scp`, as text or as a list. */
export function hasScopes(claims: Claims, scopes: readonly string[] | undefined): boolean {
  if (scopes === undefined) return true
  const held = new Set([claims.scope, claims.scp].flatMap(scopesIn))
  return scopes.every(scope => held.has(scope))
}

function scopesIn(value: unknown): readonly unknown[] {
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value : []
}

/** What the backend is told: field, value, field, value. A claim that is not there is not told. */
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
 * Any text as the value of a field: what is not printable ASCII, `%`, and blanks at the ends are percent-encoded UTF-8, so
 * that decodeURIComponent gives it back, and no claim can end a line.
 */
export function fieldText(text: string): string {
  const encoded = text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, part => encodeURIComponent(part))
  let start = 0
  let end = encoded.length
  while (encoded[start] === ' ') start += 1
  while (end > start && encoded[end - 1] === ' ') end -= 1
  return '%20'.repeat(start) + encoded.slice(start, end) + '%20'.repeat(encoded.length - end)
}
