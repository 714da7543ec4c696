// Routes that almost match a request, each with the reason. It looks up host patterns and spellings in the table, and never reads
// all routes, so its cost does not grow with their number.

import { formatMount } from '@vera-stack/shared/mounts.ts'
import type { DirectoryRoute } from './directory-entries.ts'

/** The table of routes, by host pattern. */
export interface RoutesByHost {
  routesOfHost(pattern: string): Iterable<DirectoryRoute>
}

/**
 * `path`: the host pattern has no mount for the path; `spelling`: a mount differs in one or two characters or in the case of its
 * letters; `host`: a host differs in one character, in `www.`, or is the name above a wildcard.
 */
export type NearMissKind = 'path' | 'spelling' | 'host'

export interface NearMiss {
  readonly kind: NearMissKind
  /** Undefined: the reason concerns the host pattern, not one route. */
  readonly route: DirectoryRoute | undefined
  readonly detail: string
}

const MAX_MISSES = 10
/** Mounts of one host pattern that are compared with the path. */
const MAX_MOUNTS = 1_000
/** Mounts that one text lists. */
const MAX_LISTED = 5
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-'

/** `found`: the route that matches. Then only patterns that are more specific than its own are reported. */
export function nearMisses(
  table: RoutesByHost,
  { host, path }: { readonly host: string; readonly path: string },
  found: DirectoryRoute | undefined,
): NearMiss[] {
  if (host === '') return []
  const misses: NearMiss[] = []
  for (const pattern of patternsOf(host)) {
    if (found !== undefined && pattern === found.host) break
    misses.push(...missesOfPattern(table, pattern, path))
  }
  if (found === undefined) misses.push(...otherHosts(table, host, path))
  return misses.slice(0, MAX_MISSES)
}

/** Returns the patterns that match a host, in the order of the match. */
function patternsOf(host: string): string[] {
  const patterns = [host]
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
    patterns.push(`*${host.slice(dot)}`)
  }
  return [...patterns, '*']
}

function* missesOfPattern(table: RoutesByHost, pattern: string, path: string): Generator<NearMiss> {
  const routes = firstOf(table.routesOfHost(pattern), MAX_MOUNTS)
  if (routes.length === 0) return
  for (const route of routes) {
    const detail = spellingProblem(route, path)
    if (detail !== undefined) yield { kind: 'spelling', route, detail }
  }
  const listed = routes.slice(0, MAX_LISTED).map(({ mountPath }) => mountPath)
  const more = routes.length > listed.length ? ', …' : ''
  yield {
    kind: 'path',
    route: undefined,
    detail: `${pattern} has no mount for ${path}. It has ${listed.join(', ')}${more}.`,
  }
}

/** Returns the problem when the beginning of the path is almost the path of the mount. */
function spellingProblem({ mountPath, mount }: DirectoryRoute, path: string): string | undefined {
  const depth = mountPath.split('/').length
  const start = path.split('/').slice(0, depth).join('/')
  if (start.toLowerCase() === mountPath.toLowerCase()) {
    return `${start} differs from the mount ${mount} in the case of its letters.`
  }
  const isLong = mountPath.length > 4
  if (!isLong || !areClose(start, mountPath)) return undefined
  return `${start} is spelled almost like the mount ${mount}.`
}

function* otherHosts(table: RoutesByHost, host: string, path: string): Generator<NearMiss> {
  const [above] = firstOf(table.routesOfHost(`*.${host}`), 1)
  if (above !== undefined) {
    yield { kind: 'host', route: above, detail: `*.${host} does not include ${host} itself.` }
  }
  for (const other of hostsNear(host)) {
    const route = firstOf(table.routesOfHost(other), MAX_MOUNTS).find(({ mountPath }) =>
      isBeneath(path, mountPath),
    )
    if (route === undefined) continue
    yield {
      kind: 'host',
      route,
      detail: `The host differs: ${formatMount({ host: other, path: route.mountPath })} has a route.`,
    }
  }
}

const isBeneath = (path: string, mountPath: string): boolean =>
  mountPath === '/' || path === mountPath || path.startsWith(`${mountPath}/`)

/** Yields hosts with or without `www.`, and hosts with one character that is missing, swapped, additional or another one. */
function* hostsNear(host: string): Generator<string> {
  const seen = new Set([host])
  for (const other of variants(host)) {
    if (seen.size === seen.add(other).size) continue
    yield other
  }
}

function* variants(host: string): Generator<string> {
  yield host.startsWith('www.') ? host.slice(4) : `www.${host}`
  for (let at = 0; at < host.length; at += 1) {
    const [before, after] = [host.slice(0, at), host.slice(at + 1)]
    yield before + after
    yield before + host.charAt(at + 1) + host.charAt(at) + host.slice(at + 2)
    for (const letter of LETTERS) {
      yield before + letter + after
      yield before + letter + host.slice(at)
    }
  }
}

function firstOf<Value>(values: Iterable<Value>, count: number): Value[] {
  const first: Value[] = []
  for (const value of values) {
    first.push(value)
    if (first.length === count) break
  }
  return first
}

/** True when at most two characters are missing, additional or others. */
function areClose(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 2) return false
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= other.length; column += 1) {
      const cost = one[row - 1] === other[column - 1] ? 0 : 1
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + cost))
    }
    if (Math.min(...current) > 2) return false
    previous = current
  }
  return previous.at(-1)! <= 2
}
