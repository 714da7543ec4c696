// The names of things that requests are routed by: hosts, mounts, services, and the scope patterns of tokens.
// Pure string work, used by both programs: parse what people write into one normal form (which the database
// checks again), and answer "does this scope reach that mount". It must not know how routes are stored.
//
//   mount  = host-pattern [ path ]          app.example.com/api   *.example.com   */hooks   *
//   scope  = the same, and it covers its own host pattern and every path on or beneath its own; `*` covers all

import { isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import { cutText } from './cut-text.ts'

/** A mount in normal form. */
export interface Mount {
  /** `app.example.com`, `*.example.com` or `*`: lower case, ASCII (IDNA), without port and trailing dot. */
  readonly host: string
  /** Starts with `/`; no trailing slash but for `/` itself; case-sensitive; spelled as normalizeEscapes spells it. */
  readonly path: string
}

/** What is wrong with a string, for the person who wrote it; or its normal form. */
export type ParsedMount<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string }

/** The path prefix that Plugboard keeps for itself on every host. */
export const RESERVED_PATH = '/_plugboard'
/** Where telephones dial in. */
export const TUNNEL_PATH = `${RESERVED_PATH}/tunnel`

const MAX_MOUNT_PATH_LENGTH = 1024
const MAX_HOST_LENGTH = 253

const ok = <Value>(value: Value): ParsedMount<Value> => ({ ok: true, value })
const wrong = (problem: string): ParsedMount<never> => ({ ok: false, problem })

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
/** The characters of `pchar` in RFC 3986, and the slash. */
const PATH_CHARACTERS = /^[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$/
/** RFC 3986, section 2.3. */
const UNRESERVED = /^[A-Za-z0-9._~-]$/
/** What may follow a host: nothing, a colon, or a port that exists (RFC 9110 section 4.2). */
const PORT_PART =
  /^(?::(?:[0-9]{0,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$/

/**
 * A host as a request names it (`Host`, `:authority`), in the form that routes are matched by: without port and
 * trailing dot, lower case, IDNA in ASCII. Undefined when it is no host.
 */
export function normalizeHost(host: string): string | undefined {
  let name = host
  if (name.startsWith('[')) {
    const end = name.indexOf(']')
    if (end < 0 || !PORT_PART.test(name.slice(end + 1))) return undefined
    name = name.slice(0, end + 1).toLowerCase()
    return /^[0-9a-f:.]+$/.test(name.slice(1, -1)) && isIPv6(name.slice(1, -1)) ? name : undefined
  }
  const colon = name.indexOf(':')
  if (colon >= 0) {
    if (!PORT_PART.test(name.slice(colon))) return undefined
    name = name.slice(0, colon)
  }
  return normalizeName(name)
}

/** True for a host with an optional port as it can stand in a Host field: ASCII, `[…]` around IPv6, no empty port. */
export function isHostWithPort(text: string): boolean {
  return /^[\x21-\x7e]*[\x21-\x39\x3b-\x7e]$/.test(text) && normalizeHost(text) !== undefined
}

function normalizeName(written: string): string | undefined {
  let name = written
  // ASCII names are only folded; domainToASCII would also accept `0x7f.1` for an address and percent signs.
  if (/[^\x21-\x7e]/.test(name)) name = /[\s/?#@:%\\]/.test(name) ? '' : domainToASCII(name)
  if (name.endsWith('.')) name = name.slice(0, -1)
  name = name.toLowerCase()
  if (name.length === 0 || name.length > MAX_HOST_LENGTH) return undefined
  return name.split('.').every(label => LABEL.test(label)) ? name : undefined
}

/** `app.example.com`, `*.example.com`, `*`; ports are refused, since routes do not tell them apart. */
function parseHostPattern(written: string): ParsedMount<string> {
  if (written === '*') return ok('*')
  if (written.startsWith('[')) {
    const host = normalizeHost(written)
    if (host !== undefined && written.endsWith(']')) return ok(host)
    return wrong(`"${cutText(written)}" is not an IPv6 address in brackets`)
  }
  if (written.includes(':')) return wrong('a mount names no port')
  const wildcard = written.startsWith('*.')
  const name = normalizeName(wildcard ? written.slice(2) : written)
  if (name === undefined || (wildcard && name.length > MAX_HOST_LENGTH - 2)) {
    return wrong(
      written.includes('*') && !wildcard
        ? 'a wildcard stands for whole labels at the front: *.example.com'
        : `"${cutText(written)}" is not a host name`,
    )
  }
  return ok(wildcard ? `*.${name}` : name)
}

/**
 * Returns the one spelling of a path that paths are compared in (RFC 3986, sections 6.2.2.1 and 6.2.2.2): escapes with
 * upper-case digits, unreserved characters without an escape. A malformed escape stays as it is.
 */
export function normalizeEscapes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[0-9a-fA-F]{2}/g, triplet => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return UNRESERVED.test(character) ? character : triplet.toUpperCase()
  })
}

/** A mount path as people write it; `/api/` means `/api`. What a request could never be matched to is refused. */
function parseMountPath(written: string): ParsedMount<string> {
  if (written === '' || written === '/') return ok('/')
  if (!written.startsWith('/')) return wrong('a mount path starts with /')
  const path = normalizeEscapes(written.endsWith('/') ? written.slice(0, -1) : written)
  if (path.length > MAX_MOUNT_PATH_LENGTH) {
    return wrong(`a mount path is at most ${MAX_MOUNT_PATH_LENGTH} characters long`)
  }
  if (/[?#]/.test(path)) return wrong('a mount path has no query and no fragment')
  if (!PATH_CHARACTERS.test(path)) {
    return wrong('a mount path has the characters of RFC 3986; write others percent-encoded')
  }
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return wrong('a percent sign is followed by two hexadecimal digits')
  if (/%00/.test(path)) return wrong('a mount path holds no NUL')
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return wrong('a mount path has no empty segment')
    if (segment === '.' || segment === '..') return wrong('a mount path has no dot segments')
  }
  if (isOnOrBeneath(path, RESERVED_PATH)) return wrong(`${RESERVED_PATH} is reserved`)
  return ok(path)
}

/** `host` or `host/path`. */
export function parseMount(written: string): ParsedMount<Mount> {
  const trimmed = written.trim()
  if (trimmed === '') return wrong('a mount is a host, or a host and a path: app.example.com/api')
  if (trimmed.includes('://')) return wrong('a mount has no scheme: app.example.com/api')
  const slash = trimmed.indexOf('/')
  const host = parseHostPattern(slash < 0 ? trimmed : trimmed.slice(0, slash))
  if (!host.ok) return host
  const path = parseMountPath(slash < 0 ? '/' : trimmed.slice(slash))
  return path.ok ? ok({ host: host.value, path: path.value }) : path
}

/** The way people write it: `app.example.com/api`, and `app.example.com` for its root. */
export function formatMount(mount: Mount): string {
  return mount.path === '/' ? mount.host : mount.host + mount.path
}

/** Whether `path` is `mountPath` or lies beneath it; `/apix` is not beneath `/api`. */
export function isOnOrBeneath(path: string, mountPath: string): boolean {
  if (mountPath === '/') return true
  return path.startsWith(mountPath) && (path.length === mountPath.length || path[mountPath.length] === '/')
}

/**
 * Returns what follows the mount in a path on or beneath it: empty, or from its slash on. The path may spell the mount in
 * another way, and what follows keeps its spelling.
 */
export function restAfterMount(path: string, mountPath: string): string {
  if (mountPath === '/') return path === '/' ? '' : path
  if (path.startsWith(mountPath)) return path.slice(mountPath.length)
  // An escape never stands for a slash, so both have the same segments.
  let end = 0
  for (let slash = 0; slash !== -1; slash = mountPath.indexOf('/', slash + 1))
    end = path.indexOf('/', end + 1)
  return end === -1 ? '' : path.slice(end)
}

/**
 * Whether one mount scope of a token reaches `mount`. A scope is a mount pattern: its own host pattern, and every
 * path on or beneath its own. `*.example.com` also reaches each host and longer wildcard under example.com; `*`
 * reaches everything. A scope that is no pattern reaches nothing.
 */
export function mountScopeCovers(scope: string, mount: Mount): boolean {
  const parsed = parseMount(scope)
  return (
    parsed.ok && hostCovers(parsed.value.host, mount.host) && isOnOrBeneath(mount.path, parsed.value.path)
  )
}

function hostCovers(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1))
}

const MAX_SERVICE_NAME_LENGTH = 63

const SERVICE_NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** `parseServiceName` as a pattern for schemas; it means the same with the u flag and without. */
export const SERVICE_NAME_PATTERN =
  '^(?![0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$'

/** Like a DNS label, dots allowed: `shop`, `shop-eu.v2`. A UUID is refused: names and ids share their places. */
export function parseServiceName(written: string): ParsedMount<string> {
  if (!SERVICE_NAME.test(written)) {
    return wrong(
      `a service name has 1-${MAX_SERVICE_NAME_LENGTH} characters of a-z, 0-9, "-" and ".", not "-" or "." at its ends`,
    )
  }
  return UUID.test(written) ? wrong('a service name does not look like an id') : ok(written)
}

/** Whether one service scope of a token reaches the service: `*`, its exact name, or a prefix as in `shop-*`. */
export function serviceScopeCovers(scope: string, service: string): boolean {
  return scope.endsWith('*') ? service.startsWith(scope.slice(0, -1)) : scope === service
}

/** A service name for a mount that was given none: `app.localhost/api` → `app.localhost-api`, `*` → `any`. */
export function serviceNameOfMount(mount: Mount): string {
  const host = mount.host.replace(/^\*$/, 'any').replace(/^\*\./, 'any.')
  const slug = withoutEdges(
    `${host}${mount.path}`
      .toLowerCase()
      .replace(/[^a-z0-9.]+/g, '-')
      .slice(0, MAX_SERVICE_NAME_LENGTH),
  )
  return slug === '' ? 'service' : slug
}

/** Without the dots and hyphens at both ends. */
function withoutEdges(text: string): string {
  const isEdge = (character: string | undefined): boolean => character === '.' || character === '-'
  let start = 0
  let end = text.length
  while (isEdge(text[start])) start += 1
  while (end > start && isEdge(text[end - 1])) end -= 1
  return text.slice(start, end)
}
