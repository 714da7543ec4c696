// Evaluates each service that a telephone announces: whether the token's scope covers it, whether its mount exists or can be
// claimed, and which URLs lead to it. Claims missing mounts in the database. It does not write lines to the registry.

import { type ErrorCode, VeraError } from '@vera-stack/shared/errors.ts'
import {
  formatMount,
  type Mount,
  type ParsedMount,
  parseMount,
  parseServiceName,
} from '@vera-stack/shared/mounts.ts'
import type { Announced, ServiceAnnouncement } from '@vera-stack/shared/protocol/control/control.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { ScopeIndex } from '../common/ids/scope-index.ts'
import { mountNotCovered, serviceNotCovered } from '../database/claim-refusals.ts'
import type { Claim, Claimed } from '../database/store/store.ts'
import type { Directory, DirectoryRoute } from '../routes/directory.ts'
import { generatedMount } from './generated-hosts.ts'
import type { Credential } from './tokens/authenticate.ts'
import type { TokenUsage } from './tokens/token-usage.ts'

export interface AnnouncementOptions {
  readonly directory: Pick<Directory, 'serviceByName' | 'routesOfService' | 'route'>
  readonly claimMount: (claim: Claim) => Promise<Claimed>
  /** Waits until this replica has applied the claim. Bounded in time; never rejects. */
  readonly untilApplied: () => Promise<void>
  readonly usage: Pick<TokenUsage, 'limitsOf' | 'claim'>
  readonly claims: ClaimRules
  /** The public address of a mount. */
  readonly urlOf: (mount: { readonly host: string; readonly mountPath: string }) => string
}

export interface ClaimRules {
  /** How long an ephemeral mount outlives the last line of its telephones, ms. */
  readonly ephemeralGraceMs: number
  /** The wildcard host of generated mounts, such as `*.t.example.com`; undefined: this Plugboard generates no hosts. */
  readonly generatedHosts: string | undefined
}

export interface AnnouncementDecision {
  readonly announcement: ServiceAnnouncement
  readonly accepted: boolean
  /** The reason of a refusal. */
  readonly code?: ErrorCode | undefined
  readonly detail: string | undefined
  readonly urls: readonly string[]
  /** The mount in normal form, when it leads to the service. */
  readonly mount: string | undefined
  /** The route of `mount`. */
  readonly routeId?: string | undefined
  /** The mount that led to the service at the time of acceptance and no longer does (lost-mounts.ts). */
  readonly lostMount?: string | undefined
  /** The lost mount, if the telephone had announced it. */
  readonly claimedMount?: string | undefined
  /** True when the only reason of the refusal is that the database is unavailable. The claim is retried later. */
  readonly tryLater: boolean
}

/** Longest `detail` that a telephone accepts (control-schema.ts), without the ellipsis of a cut text, in characters. */
const MAX_DETAIL = 499
/** Most URLs of one service that a telephone accepts (control-schema.ts). */
const MAX_URLS = 100
/** Shortest lifetime of a claimed mount, ms: long enough for a telephone to reconnect and keep its claim. */
const MIN_LIFETIME_MS = 60_000

/**
 * Evaluates one service at a time, in order, because the claims of one telephone compete for the same lock. Stops when
 * `isWanted` returns false, because the result is then useless.
 */
export async function evaluateAnnouncement(
  services: readonly ServiceAnnouncement[],
  credential: Credential,
  options: AnnouncementOptions,
  isWanted: () => boolean,
): Promise<AnnouncementDecision[]> {
  const decisions: AnnouncementDecision[] = []
  const scopes = new ScopeIndex(credential)
  for (const announcement of services) {
    if (!isWanted()) break
    decisions.push(await evaluateService(announcement, credential, scopes, options))
  }
  return decisions
}

/** Refuses every service, for one reason that concerns the whole announcement. */
export function refuseAll(
  services: readonly ServiceAnnouncement[],
  reason: VeraError,
): AnnouncementDecision[] {
  return services.map(announcement => refusedBy(announcement, reason))
}

export function resultsOf(decisions: readonly AnnouncementDecision[]): Announced['results'] {
  return decisions.map(({ announcement, accepted, code, detail, urls, lostMount }) => ({
    service: announcement.service,
    accepted,
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail: cutText(detail, MAX_DETAIL) }),
    urls: [...urls],
    ...(lostMount === undefined ? {} : { lostMount }),
  }))
}

async function evaluateService(
  announcement: ServiceAnnouncement,
  credential: Credential,
  scopes: ScopeIndex,
  options: AnnouncementOptions,
): Promise<AnnouncementDecision> {
  const { token: reference, subject, services, mounts } = credential
  const token = { reference, subject, services, mounts }
  const name = parseServiceName(announcement.service)
  if (!name.ok) return refused(announcement, `${name.problem}.`, 'invalid_request')
  if (!scopes.coversService(name.value)) {
    return refusedBy(
      announcement,
      serviceNotCovered(name.value, announcedMount(announcement, options), token),
    )
  }
  const written = writtenMount(announcement, options)
  if (!written.ok) return refused(announcement, `${written.problem}.`, 'invalid_request')
  if (written.value === undefined) return accepted(announcement, options, undefined)
  const parsed = parseMount(written.value)
  if (!parsed.ok) return refused(announcement, `${parsed.problem}.`, 'invalid_request')
  const mount = formatMount(parsed.value)
  const present = routeAt(parsed.value, name.value, options)
  const reached = scopes.coversMount(parsed.value)
  // A route that already leads to the service needs no claim and no database. A route with a lifetime needs the claim,
  // which records that the route is in use.
  if (present !== undefined && (present.lifetimeMs === null || !reached)) {
    return accepted(announcement, options, mount, present)
  }
  if (!reached) return refusedBy(announcement, mountNotCovered(name.value, mount, token))
  const lifetimeMs = lifetimeOf(announcement, options.claims)
  if (lifetimeMs !== undefined && lifetimeMs < MIN_LIFETIME_MS) {
    const detail = `The lifetime of mount ${mount} is ${lifetimeMs / 1000} s, but has to be at least ${MIN_LIFETIME_MS / 1000} s. Pass --mount-lifetime 1m or more.`
    return refused(announcement, detail, 'invalid_request')
  }
  try {
    const { claims: maxClaims } = options.usage.limitsOf(credential)
    const claim = { service: name.value, mount, lifetimeMs, token: { ...token, maxClaims } }
    const { route } = await options.usage.claim(credential, () => options.claimMount(claim))
    // The URL of the response should work at once.
    if (options.directory.route(route.id) === undefined) await options.untilApplied()
    return accepted(announcement, options, mount, route)
  } catch (error) {
    if (!(error instanceof VeraError)) throw error
    if (error.code !== 'database_unavailable') return refusedBy(announcement, error)
    // While the database is unavailable, no route is deleted, so the present route can serve.
    if (present !== undefined) return accepted(announcement, options, mount, present)
    const detail = `The database is unavailable. Plugboard claims mount ${mount} when the database is available again.`
    return { ...refused(announcement, detail, error.code), tryLater: true }
  }
}

/** Returns the announced mount as written, or the mount that Plugboard generates from the proposed label. */
function writtenMount(
  { mount, generatedHost }: ServiceAnnouncement,
  { claims }: AnnouncementOptions,
): ParsedMount<string | undefined> {
  return generatedHost === undefined
    ? { ok: true, value: mount }
    : generatedMount(generatedHost, claims.generatedHosts)
}

/** Returns the announced mount in normal form; undefined without a mount, or with a malformed one. */
function announcedMount(announcement: ServiceAnnouncement, options: AnnouncementOptions): string | undefined {
  const written = writtenMount(announcement, options)
  const parsed = written.ok && written.value !== undefined ? parseMount(written.value) : undefined
  return parsed?.ok ? formatMount(parsed.value) : undefined
}

/** Returns the time that the route outlives the last line of its telephones, ms; undefined: no time limit. */
function lifetimeOf(
  { generatedHost, lifetimeMs }: ServiceAnnouncement,
  { ephemeralGraceMs }: ClaimRules,
): number | undefined {
  // 0 selects the default of this Plugboard for ephemeral mounts.
  if (lifetimeMs === undefined && generatedHost === undefined) return undefined
  return lifetimeMs || ephemeralGraceMs
}

/** Returns the route of the service at this mount. */
export function routeAt(
  { host, path }: Mount,
  service: string,
  options: AnnouncementOptions,
): DirectoryRoute | undefined {
  for (const route of routesOf(service, options)) {
    if (route.host === host && route.mountPath === path) return route
  }
  return undefined
}

export function routesOf(service: string, { directory }: AnnouncementOptions): Iterable<DirectoryRoute> {
  const found = directory.serviceByName(service)
  return found === undefined ? [] : directory.routesOfService(found.id)
}

/** Returns an accepted decision. `route` is the route of the mount; it may not have arrived in the directory yet. */
export function accepted(
  announcement: ServiceAnnouncement,
  options: AnnouncementOptions,
  mount: string | undefined,
  route?: { readonly id: string; readonly host: string; readonly mountPath: string },
): AnnouncementDecision {
  const urls = new Set<string>()
  // Stops at the number of URLs that fit in the response: a service may have thousands of routes, and may be announced
  // once for each of them.
  for (const each of routesOf(announcement.service, options)) {
    if (urls.size >= MAX_URLS) break
    urls.add(options.urlOf(each))
  }
  if (route !== undefined && urls.size < MAX_URLS) urls.add(options.urlOf(route))
  const detail = remarkOf(announcement.service, urls.size, options)
  const routeId = mount === undefined ? undefined : route?.id
  return { announcement, accepted: true, detail, urls: [...urls], mount, routeId, tryLater: false }
}

function remarkOf(
  announced: string,
  urlCount: number,
  { directory }: AnnouncementOptions,
): string | undefined {
  const name = directory.serviceByName(announced)?.name ?? announced
  if (name !== announced) return `The service "${announced}" is named "${name}" now. Announce the new name.`
  if (urlCount > 0) return undefined
  return `No route leads to this service yet. Add one with "plugboard route add <host> --service ${name}".`
}

function refused(announcement: ServiceAnnouncement, detail: string, code: ErrorCode): AnnouncementDecision {
  return { announcement, accepted: false, code, detail, urls: [], mount: undefined, tryLater: false }
}

function refusedBy(announcement: ServiceAnnouncement, { message, code }: VeraError): AnnouncementDecision {
  return refused(announcement, message, code)
}
