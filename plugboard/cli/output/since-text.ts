// The time since which a service has no line, as a text.

import { relative } from './output.ts'

/** `3m ago`, with the time of day in UTC; `before 02:41 …` when the service was not served at that moment already. */
export function sinceText(
  { since, observed }: { readonly since: string; readonly observed: boolean },
  now: number,
): string {
  const ago = relative(since, now)
  const time = `${since.slice(0, 10)} ${since.slice(11, 19)}Z`
  return observed ? `${ago} (${time})` : `before ${time}`
}
