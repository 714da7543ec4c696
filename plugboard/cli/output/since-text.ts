// Renders the time since which a service has no line.

import { relative } from './output.ts'

/** Returns `3m ago (2026-11-20 02:41:00Z)`; `before …` when the service had no line before that time either. */
export function sinceText(
  { since, observed }: { readonly since: string; readonly observed: boolean },
  now: number,
): string {
  const ago = relative(since, now)
  const time = `${since.slice(0, 10)} ${since.slice(11, 19)}Z`
  return observed ? `${ago} (${time})` : `before ${time}`
}
