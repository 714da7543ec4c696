// The last choices in the search. They belong to this browser tab, so that they end with it.

import type { Destination } from './destinations.ts'

const STORAGE_KEY = 'plugboard-recent'
const MAX_RECENT = 8

export function recentDestinations(): readonly Destination[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '[]')
    return Array.isArray(stored) ? stored.filter(isDestination) : []
  } catch {
    // Another program of the same origin has written the value.
    return []
  }
}

export function rememberDestination(chosen: Destination): void {
  const others = recentDestinations().filter(({ href }) => href !== chosen.href)
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify([chosen, ...others].slice(0, MAX_RECENT)))
}

function isDestination(value: unknown): value is Destination {
  if (typeof value !== 'object' || value === null) return false
  const { href, text, kind } = value as Partial<Record<keyof Destination, unknown>>
  return (
    typeof href === 'string' && href.startsWith('/') && typeof text === 'string' && typeof kind === 'string'
  )
}
