// Compares the path of a request with the path of a limit. Many backends read several spellings as one path, so a limit counts all
// of them. No spelling may escape a limit.

import { isOnOrBeneath } from '@vera-stack/shared/mounts.ts'

/** Empty segments, parameters of segments, and escaped separators. */
const HAS_OTHER_SPELLING = /\/\/|;|%2F|%5C/i

/** Returns true when the path, or a path that a backend may read instead, is on or beneath the prefix. */
export function matchesPath(path: string, prefix: string): boolean {
  if (isOnOrBeneath(path, prefix)) return true
  if (!HAS_OTHER_SPELLING.test(path)) return false
  // Backends remove parameters before or after they decode separators: `/login;a%2F../x` is `/login/x` or `/x`.
  return (
    isOnOrBeneath(plainSpelling(withSeparators(withoutParameters(path))), prefix) ||
    isOnOrBeneath(plainSpelling(withoutParameters(withSeparators(path))), prefix)
  )
}

function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '')
}

function withSeparators(path: string): string {
  return path.replace(/%2F|%5C/gi, '/')
}

/** Removes empty segments, and resolves dot segments. The path above the root is the root. */
function plainSpelling(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`
}
