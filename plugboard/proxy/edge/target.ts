// The request target and the host, brought into their one form (rows F8, F9, H8, H9). The path that is matched and the
// path that is forwarded are two spellings of one path, so no two readers can disagree about it. Pure string work.

import { normalizeHost } from '@vera-stack/shared/mounts.ts'

/** True for a path that has one spelling only: it starts with `/` and has no escape, no `\` and no segment with a leading dot. */
export function isPlainPath(path: string): boolean {
  if (path.charCodeAt(0) !== 0x2f) return false
  let afterSlash = false
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index)
    if (code === 0x25 || code === 0x5c || (afterSlash && code === 0x2e)) return false
    afterSlash = code === 0x2f
  }
  return true
}

/**
 * Resolves dot segments (RFC 3986, section 5.2.4), with `%2e` counted as a dot; the other segments keep their spelling.
 * `%2f` and `%5c` stay and do not separate segments; empty segments stay. Returns undefined when the path leads above the
 * root, holds `%00` or `\`, or does not start with `/`. Many URL parsers of backends would read `\` as a slash.
 */
export function resolveDots(path: string): string | undefined {
  if (path.charCodeAt(0) !== 0x2f || path.includes('%00') || path.includes('\\')) return undefined
  const kept: string[] = []
  const segments = path.split('/')
  for (let index = 1; index < segments.length; index += 1) {
    const segment = segments[index] as string
    const dots = segment.length <= 6 ? segment.replace(/%2e/gi, '.') : segment
    if (dots !== '.' && dots !== '..') {
      kept.push(segment)
      continue
    }
    if (dots === '..' && kept.pop() === undefined) return undefined
    // A dot segment at the end refers to the folder, so the slash stays.
    if (index === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}`
}

/** Splits a target in absolute form (RFC 9112 section 3.2.2). Returns undefined when its scheme is not http or https. */
export function splitAbsoluteForm(
  target: string,
): { readonly authority: string; readonly target: string } | undefined {
  const scheme = /^https?:\/\//i.exec(target)
  if (scheme === null) return undefined
  const rest = target.slice(scheme[0].length)
  const end = rest.search(/[/?]/)
  if (end === -1) return { authority: rest, target: '/' }
  const path = rest.slice(end)
  return { authority: rest.slice(0, end), target: path.startsWith('/') ? path : `/${path}` }
}

/** Returns the port in a Host value; undefined without one. */
export function portOf(host: string): string | undefined {
  const colon = host.lastIndexOf(':')
  if (colon === -1 || host.charCodeAt(host.length - 1) === 0x5d) return undefined
  return colon === host.length - 1 ? undefined : host.slice(colon + 1)
}

/** Caches the normal form of frequently requested hosts. The size is bounded, because clients choose the hosts. */
export class HostCache {
  readonly #normal = new Map<string, string>()
  readonly #maxEntries: number

  constructor(maxEntries = 1024) {
    this.#maxEntries = maxEntries
  }

  /** Returns undefined for an invalid host. Bytes outside ASCII are invalid: a client sends the ASCII form of IDNA. */
  normalize(host: string): string | undefined {
    const known = this.#normal.get(host)
    if (known !== undefined) return known
    if (host.length > 300 || !/^[\x21-\x7e]+$/.test(host)) return undefined
    const normal = normalizeHost(host)
    if (normal === undefined) return undefined
    if (this.#normal.size >= this.#maxEntries) this.#normal.clear()
    this.#normal.set(host, normal)
    return normal
  }
}
