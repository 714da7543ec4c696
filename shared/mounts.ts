// The names that routing uses: hosts, mounts, services, and the scope patterns of tokens. Pure functions on strings for both
// programs. They parse the text of a user into one normal form (which the database checks again), and decide whether a scope
// covers a mount. Independent of the way routes are stored.
//
//   mount  = host-pattern [ path ]          app.example.com/api   *.example.com   */hooks   *
//   scope  = the same form. It covers its host pattern, and its path with every path under it; `*` covers each mount

import { isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import { ipv6Spelling } from './net/ip-address.ts'
import { cutText } from './text/cut-text.ts'

/** A mount in normal form. */
export interface Mount {
  /** `app.example.com`, `*.example.com`, `*` or `[2001:db8::1]`: as `normalizeHost` returns it. */
  readonly host: string
  /**
   * Case-sensitive. Starts with `/`, has no trailing slash (except `/` itself), and escapes as `normalizeEscapes` writes
   * them.
   */
  readonly path: string
}

/** The normal form of a string, or its problem in words for the person who wrote it. */
export type ParsedMount<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string }

/** The path prefix that Plugboard keeps for itself on every host. */
export const RESERVED_PATH = '/_plugboard'
/** The path to which Telephones open their tunnels. */
export const TUNNEL_PATH = `${RESERVED_PATH}/tunnel`
/** The path at which the public port names the Plugboard that responds, for `plugboard doctor`. */
export const INSTANCE_PATH = `${RESERVED_PATH}/instance`

const MAX_MOUNT_PATH_LENGTH = 1024
const MAX_HOST_LENGTH = 253

const ok = <Value>(value: Value): ParsedMount<Value> => ({ ok: true, value })
const wrong = (problem: string): ParsedMount<never> => ({ ok: false, problem })

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
/** The characters of `pchar` in RFC 3986, and the slash. */
const PATH_CHARACTERS = /^[A-Za-z0-9._~!$&'()*+,;=:@%/-]+$/
/** RFC 3986, section 2.3. */
const UNRESERVED = /^[A-Za-z0-9._~-]$/
/** The text behind a host: empty, a colon, or a colon and a valid port (RFC 9110 section 4.2). */
const PORT_PART =
  /^(?::(?:[0-9]{0,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$/

/**
 * Returns the host of a request (`Host`, `:authority`) in the form that routes are matched by: without port and trailing dot,
 * lower case, IDNA in ASCII, IPv6 addresses as RFC 5952 writes them. Undefined when the text is not a host.
 */
export function normalizeHost(host: string): string | undefined {
  let name = host
  if (name.startsWith('[')) {
    const end = name.indexOf(']')
    if (end < 0 || !PORT_PART.test(name.slice(end + 1))) return undefined
    const address = name.slice(1, end)
    return /^[0-9a-fA-F:.]+$/.test(address) && isIPv6(address) ? `[${ipv6Spelling(address)}]` : undefined
  }
  const colon = name.indexOf(':')
  if (colon >= 0) {
    if (!PORT_PART.test(name.slice(colon))) return undefined
    name = name.slice(0, colon)
  }
  return normalizeName(name)
}

/** True for a host with an optional port that is valid in a Host field: ASCII, `[…]` around IPv6, no empty port. */
export function isHostWithPort(text: string): boolean {
  return /^[\x21-\x7e]*[\x21-\x39\x3b-\x7e]$/.test(text) && normalizeHost(text) !== undefined
}

function normalizeName(written: string): string | undefined {
  let name = written
  // ASCII names are only converted to lower case: domainToASCII would also accept percent signs, and `0x7f.1` as an address.
  if (/[^\x21-\x7e]/.test(name)) name = /[\s/?#@:%\\]/.test(name) ? '' : domainToASCII(name)
  if (name.endsWith('.')) name = name.slice(0, -1)
  name = name.toLowerCase()
  if (name.length === 0 || name.length > MAX_HOST_LENGTH) return undefined
  return name.split('.').every(label => LABEL.test(label)) ? name : undefined
}

/** Parses `app.example.com`, `*.example.com` or `*`. Rejects a port, because routes do not distinguish ports. */
function parseHostPattern(written: string): ParsedMount<string> {
  if (written === '*') return ok('*')
  if (written.startsWith('[')) {
    const host = normalizeHost(written)
    if (host !== undefined && written.endsWith(']')) return ok(host)
    return wrong(`"${cutText(written)}" is not an IPv6 address in brackets`)
  }
  if (written.includes(':')) return wrong('a mount has no port')
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
 * Returns a path in the one spelling that is used for comparisons (RFC 3986, sections 6.2.2.1 and 6.2.2.2): escapes have
 * upper-case digits, and unreserved characters have no escape. A malformed escape is not changed.
 */
export function normalizeEscapes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[0-9a-fA-F]{2}/g, triplet => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return UNRESERVED.test(character) ? character : triplet.toUpperCase()
  })
}

/** Parses a mount path as a user writes it; `/api/` means `/api`. Rejects a path that no request could match. */
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

/** Parses `host` or `host/path`. */
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

/** Returns the mount as a user writes it: `app.example.com/api`, and `app.example.com` for the path `/`. */
export function formatMount(mount: Mount): string {
  return mount.path === '/' ? mount.host : mount.host + mount.path
}

/** True when `path` is `mountPath` or lies beneath it. `/apix` is not beneath `/api`. */
export function isOnOrBeneath(path: string, mountPath: string): boolean {
  if (mountPath === '/') return true
  return path.startsWith(mountPath) && (path.length === mountPath.length || path[mountPath.length] === '/')
}

/**
 * Returns the part of `path` behind the mount: an empty string, or text that starts with a slash. `path` must be on or beneath
 * the mount, but may spell its escapes in another way. The returned part keeps its spelling.
 */
export function restAfterMount(path: string, mountPath: string): string {
  if (mountPath === '/') return path === '/' ? '' : path
  if (path.startsWith(mountPath)) return path.slice(mountPath.length)
  // An escape never stands for a slash here, so the mount has the same number of segments in both spellings.
  let end = 0
  for (let slash = 0; slash !== -1; slash = mountPath.indexOf('/', slash + 1))
    end = path.indexOf('/', end + 1)
  return end === -1 ? '' : path.slice(end)
}

/**
 * True when one mount scope of a token covers `mount`. A scope is a mount pattern. It covers its host pattern, and its path
 * with every path under it. `*.example.com` also covers each host and each longer wildcard under example.com. `*` covers each
 * mount. A scope that is not a valid pattern covers no mount.
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

const SERVICE_NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The names of services that Plugboard itself provides to telephones. Users cannot create a service with such a name. */
const RESERVED_SERVICES: readonly string[] = [
  'plugboard.functions',
  'plugboard.placement',
  'plugboard.events',
]

/** The rule of `parseServiceName` as a pattern for schemas. It has the same meaning with and without the u flag. */
export const SERVICE_NAME_PATTERN =
  '^(?![0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)' +
  '(?!plugboard\\.(?:functions|placement|events)$)[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$'

/**
 * Parses a service name: like a DNS label, with dots and underscores allowed (`shop`, `shop-eu.v2`, `user_service`). Rejects a UUID,
 * because some arguments accept a name or an id, and the reserved names.
 */
export function parseServiceName(written: string): ParsedMount<string> {
  if (!SERVICE_NAME.test(written)) {
    return wrong(
      `a service name has 1-${MAX_SERVICE_NAME_LENGTH} characters of a-z, 0-9, "-", "_" and ".", and begins and ends with a letter or a digit`,
    )
  }
  if (RESERVED_SERVICES.includes(written))
    return wrong(`the service name ${written} is reserved for Plugboard`)
  return UUID.test(written) ? wrong('a service name does not look like an id') : ok(written)
}

/** True when one service scope of a token covers the service: `*`, its exact name, or a prefix as in `shop-*`. */
export function serviceScopeCovers(scope: string, service: string): boolean {
  return scope.endsWith('*') ? service.startsWith(scope.slice(0, -1)) : scope === service
}

/** Returns a default service name for a mount: `app.localhost/api` → `app.localhost-api`, `*` → `any`. It has no underscore. */
export function serviceNameOfMount(mount: Mount): string {
  const host = mount.host.replace(/^\*$/, 'any').replace(/^\*\./, 'any.')
  const slug = withoutEdges(
    `${host}${mount.path}`
      .toLowerCase()
      .replace(/[^a-z0-9.]+/g, '-')
      .slice(0, MAX_SERVICE_NAME_LENGTH),
  )
  if (slug === '') return 'service'
  return RESERVED_SERVICES.includes(slug) ? slug.replace('.', '-') : slug
}

/** Returns the text without the dots and hyphens at both ends. */
function withoutEdges(text: string): string {
  const isEdge = (character: string | undefined): boolean => character === '.' || character === '-'
  let start = 0
  let end = text.length
  while (isEdge(text[start])) start += 1
  while (end > start && isEdge(text[end - 1])) end -= 1
  return text.slice(start, end)
}
