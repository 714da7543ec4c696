// Wires a Telephone: services and their backends, tunnels and the addresses of Plugboard, the token and its renewal. The caller
// passes all options. main.ts reads flags, cli/ writes lines and handles signals.
//
// Start: first the backends, which open no connection, then the first tunnel. The other tunnels start when the first one is ready
// or has failed, because by then the addresses of the replicas may have arrived. Stop: first the tunnels drain, because their
// exchanges need the backends, then the backends close.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Clock, systemClock, type Timer } from '@vera-stack/shared/clock.ts'
import { targetText } from '@vera-stack/shared/net/backend-target.ts'
import { openFilesLimit } from '@vera-stack/shared/process/open-files.ts'
import { processMemoryBytes } from '@vera-stack/shared/process/process-memory.ts'
import {
  type Announced,
  type ControlMessage,
  MAX_OUTAGE_DETAIL,
  PROBE_FEATURE,
  type ServiceAnnouncement,
} from '@vera-stack/shared/protocol/control/control.ts'
import { DEFAULT_LIMITS } from '@vera-stack/shared/protocol/limits.ts'
import type { SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening } from '@vera-stack/shared/protocol/streams/stream.ts'
import { UNACCEPTED_BYTES } from '@vera-stack/shared/protocol/wire/frame.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { type FittedBackends, fitBackendLimits } from './backend/backend-limits.ts'
import type { BackendTraces } from './backend/backend-traces.ts'
import { FailureLog } from './backend/failure-log.ts'
import type { Backend } from './backend/forward/backend.ts'
import { exchangeSummary, Forwarder, type StreamInspector } from './backend/forward/forward.ts'
import { HandlerBackend } from './backend/forward/handler-backend.ts'
import { HttpBackend } from './backend/forward/http-backend.ts'
import { HealthCheck, type HealthOutage } from './backend/health/health-check.ts'
import type { AnnouncedService, TelephoneEvent, TelephoneListener } from './events.ts'
import type { TelephoneMeters } from './metrics/telephone-meters.ts'
import { generatedLabel } from './options/generated-name.ts'
import type { Service } from './options/service-options.ts'
import type { TelephoneSettings } from './options/telephone-settings.ts'
import type { TelephoneHandle, TunnelStatus } from './telephone-handle.ts'
import { type Address, Addresses, type PlugboardAddress } from './tunnel/addresses.ts'
import { dial } from './tunnel/dial.ts'
import { DialError, TOKEN_UNREADABLE } from './tunnel/dial-error.ts'
import { tunnelUrl } from './tunnel/plugboard-url.ts'
import { Renewal } from './tunnel/renewal.ts'
import { TokenError, type TokenSource, TokenStore } from './tunnel/token-store.ts'
import { Tunnel, type TunnelHost } from './tunnel/tunnel.ts'
import { VERSION } from './version.ts'

export interface TelephoneOptions extends TelephoneSettings {
  /** The addresses of one or more Plugboards. They send the addresses of other replicas, which `followReplicas` uses. */
  readonly plugboards: readonly string[]
  readonly token: TokenSource
  readonly services: readonly Service[]
  readonly limits?: Partial<SessionLimits> | undefined
  /** Counts the times and failures of backends. Absent: they are not counted. */
  readonly meters?: TelephoneMeters | undefined
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
}

export const DEFAULT_DRAIN_TIMEOUT_MS = 30_000
const DEFAULT_DIAL_TIMEOUT_MS = 10_000
/** More than 2,000 uploads that a backend does not read, at 256 KiB each. */
const DEFAULT_MAX_HELD_BYTES = 640 * 2 ** 20
/** Time between checks for two tunnels on one replica while another is unused. The loss of that replica would end both. */
const REBALANCE_MS = 20_000
const REBALANCE_SPREAD_MS = 10_000
/** A refused service is announced again, because the conflict may have ended or the scope may have changed. */
const OFFER_AGAIN_MS = 60_000
/** Generated hosts in use by others that the Telephone proposes before it reports the refusal. */
const MAX_PROPOSALS = 5
const NO_GENERATED_HOSTS =
  'This Plugboard generates no host names. It may be an older version: pass --mount host/path.'

export class Telephone implements TelephoneHandle {
  readonly name: string
  readonly #options: TelephoneOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #listeners = new Set<TelephoneListener>()
  readonly #store: TokenStore
  readonly #renewal: Renewal
  readonly #backendLimits: FittedBackends
  readonly #forwarder: Forwarder
  readonly #addresses: Addresses
  readonly #tunnels: readonly Tunnel[]
  readonly #checks: readonly { readonly service: string; readonly check: HealthCheck }[]
  readonly #announcements: ServiceAnnouncement[]
  readonly #drainTimeoutMs: number
  /** The token of the last dial of each tunnel. */
  readonly #dialedWith = new WeakMap<Tunnel, string>()
  readonly #held: HeldBytes
  #announcementId = 1
  /** The number of proposed hosts that were in use. */
  #proposals = 0
  #services: readonly AnnouncedService[] = []
  /** The lost mount of each announced service, by its place in the announcement. */
  #lostMounts: readonly (string | undefined)[] = []
  #started = 1
  #rebalance: Timer | undefined
  #offer: Timer | undefined
  #keepAlive: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #closed = false

  /** Throws for an address of Plugboard that cannot be used. Opens no connection; call `start` for that. */
  constructor(options: TelephoneOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const random = options.random ?? Math.random
    this.#random = random
    this.#drainTimeoutMs = options.drainTimeoutMs ?? DEFAULT_DRAIN_TIMEOUT_MS
    this.name = options.name ?? defaultName(options.services)
    this.#held = new HeldBytes({
      budgetBytes:
        options.maxHeldBytes ?? Math.min(DEFAULT_MAX_HELD_BYTES, Math.floor(processMemoryBytes() / 4)),
      onOverrun: overrun => this.#report({ kind: 'over_budget', ...overrun }),
    })
    this.#store = new TokenStore(options.token)
    this.#addresses = new Addresses(
      options.plugboards.map(tunnelUrl),
      options.followReplicas ?? true,
      () => this.#clock.now(),
      random,
    )
    this.#announcements = options.services.map(announcementOf)
    this.#renewal = new Renewal({
      store: this.#store,
      clock: this.#clock,
      random,
      ask: () => this.#tunnels.map(tunnel => tunnel.send({ type: 'renew' })).includes(true),
      report: event => this.#report(event),
    })
    this.#backendLimits = fitBackendLimits(options.services, options.tunnels ?? 2, openFilesLimit())
    this.#forwarder = new Forwarder({
      backends: new Map(options.services.map(service => [service.service, this.#backend(service)])),
      now: () => this.#clock.now(),
      meters: options.meters,
      onExchange: options.reportExchanges
        ? exchange => this.#report({ kind: 'exchange', exchange: exchangeSummary(exchange) })
        : undefined,
    })
    this.#checks = options.services.flatMap((service, index) => {
      const check = this.#healthCheck(service, index)
      return check === undefined ? [] : [{ service: service.service, check }]
    })
    const host = this.#tunnelHost(random)
    this.#tunnels = Array.from({ length: options.tunnels ?? 2 }, (_, index) => new Tunnel(index + 1, host))
  }

  get state(): TelephoneHandle['state'] {
    if (this.#closed) return 'closed'
    if (this.#closing !== undefined) return 'draining'
    return this.#tunnels.some(tunnel => tunnel.state === 'ready') ? 'ready' : 'connecting'
  }

  get tunnels(): TunnelStatus[] {
    return this.#tunnels.map(({ number, state, url, replica, rttMs }) => ({
      number,
      state,
      url,
      replica,
      rttMs,
    }))
  }

  /** The number of open streams on all tunnels. */
  get streamCount(): number {
    return this.#tunnels.reduce((count, tunnel) => count + tunnel.streamCount, 0)
  }

  /** The last result of Plugboard for each service, with the URLs at which the service can be reached. */
  get services(): readonly AnnouncedService[] {
    return this.#services
  }

  /** Calls `listener` with each later event. Returns a function that ends the subscription. */
  subscribe(listener: TelephoneListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Traces the requests to backends. Call it before `start`. */
  traceWith(traces: BackendTraces): void {
    this.#forwarder.traces = traces
  }

  /** Captures the exchanges with backends. Call it before `start`. */
  inspectWith(inspector: StreamInspector): void {
    this.#forwarder.inspector = inspector
  }

  /** Returns the backend of a service. */
  backendOf(service: string): Backend | undefined {
    return this.#forwarder.backendOf(service)
  }

  start(): void {
    // This timer keeps the process alive between two attempts to connect.
    this.#keepAlive = setInterval(() => undefined, 2 ** 30)
    const { lowered } = this.#backendLimits
    if (lowered !== undefined) this.#report({ kind: 'limits_lowered', ...lowered })
    for (const { check } of this.#checks) check.start()
    this.#tunnels[0]?.start()
    this.#watchBalance()
  }

  /** Accepts no new requests, finishes open requests within `graceMs`, closes everything. A second call has no effect. */
  close(graceMs: number = this.#drainTimeoutMs): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  async #close(graceMs: number): Promise<void> {
    this.#report({ kind: 'draining', graceMs })
    this.#renewal.stop()
    this.#rebalance?.cancel()
    this.#offer?.cancel()
    for (const { check } of this.#checks) check.stop()
    await Promise.all(this.#tunnels.map(tunnel => tunnel.stop(graceMs)))
    this.#forwarder.close()
    clearInterval(this.#keepAlive)
    this.#closed = true
    this.#report({ kind: 'closed' })
  }

  #tunnelHost(random: () => number): TunnelHost {
    return {
      clock: this.#clock,
      random,
      identity: {
        agent: `telephone/${VERSION}`,
        instance: randomUUID(),
        name: this.name,
        startedAt: this.#clock.wallTime(),
        features: [PROBE_FEATURE],
      },
      limits: this.#options.limits ?? {},
      newAccount: () => new HeldBytes({ budgetBytes: this.#held.budgetBytes, parent: this.#held }),
      drainTimeoutMs: this.#drainTimeoutMs,
      pick: (tunnel, avoid, wanted) =>
        this.#addresses.pick([...this.#places(tunnel), ...(avoid ? [avoid] : [])], wanted),
      dial: (tunnel, address, events) => {
        let token: string
        try {
          token = this.#store.read()
        } catch (error) {
          if (!(error instanceof TokenError)) throw error
          const failure = new DialError('refused', error.message, { code: TOKEN_UNREADABLE, cause: error })
          const soon = setImmediate(() => events.onFailure(failure))
          return () => clearImmediate(soon)
        }
        this.#dialedWith.set(tunnel, token)
        this.#renewal.follow(token)
        const { dialTimeoutMs: timeoutMs = DEFAULT_DIAL_TIMEOUT_MS, plugboardCa: tlsCa } = this.#options
        const { env = process.env } = this.#options
        const agent = `telephone/${VERSION}`
        return dial({ url: address.url, token, agent, clock: this.#clock, timeoutMs, tlsCa, env }, events)
      },
      hasNewToken: tunnel => {
        const token = this.#store.readable()
        return token !== undefined && token !== this.#dialedWith.get(tunnel)
      },
      announcement: () => ({ id: this.#announcementId, services: this.#announcements }),
      onStream: (stream, opening) => this.#forwarder.onStream(stream, opening),
      onReady: () => {
        this.#startRest()
        this.#balance()
      },
      accept: results => this.#accept(results),
      onAnnounced: (_tunnel, announced) => this.#onAnnounced(announced),
      onControl: (tunnel, message) => this.#onControl(tunnel, message),
      onDialed: (address, replica) => this.#addresses.worked(address, replica),
      onDialFailed: (_tunnel, address) => {
        this.#addresses.failed(address)
        this.#startRest()
      },
      report: event => this.#report(event),
    }
  }

  /** Returns the results to use. When a generated host is in use, proposes another one and returns undefined. */
  #accept(results: Announced['results']): Announced['results'] | undefined {
    const [service] = this.#announcements
    const [result] = results
    if (service?.generatedHost === undefined || result === undefined) return results
    if (result.accepted && result.urls.length === 0 && result.lostMount === undefined) {
      return [{ ...result, accepted: false, code: 'invalid_request', detail: NO_GENERATED_HOSTS }]
    }
    if (result.code !== 'mount_conflict' || this.#proposals >= MAX_PROPOSALS) return results
    this.#proposals += 1
    this.#announcements[0] = { ...service, generatedHost: generatedLabel(this.#proposals) }
    this.#announcementId += 1
    this.#announce()
    return undefined
  }

  #onAnnounced({ results }: Announced): void {
    this.#services = results
    this.#offer?.cancel()
    if (this.#closing !== undefined) return
    this.#reportLostMounts(results)
    if (!results.some((result, index) => !result.accepted || this.#claimsAgain(result, index))) return
    this.#offer = this.#clock.after(OFFER_AGAIN_MS, () => this.#announce())
  }

  /** True for a lost mount that this Telephone had announced. The next announcement claims it. */
  #claimsAgain({ lostMount }: AnnouncedService, index: number): boolean {
    const { mount, generatedHost } = this.#announcements[index] ?? {}
    return lostMount !== undefined && (mount !== undefined || generatedHost !== undefined)
  }

  /** Reports each lost mount once, because all tunnels receive the same results. */
  #reportLostMounts(results: readonly AnnouncedService[]): void {
    const before = this.#lostMounts
    this.#lostMounts = results.map(({ lostMount }) => lostMount)
    for (const [index, result] of results.entries()) {
      const { service, lostMount: mount, detail = '' } = result
      if (mount === undefined || mount === before[index]) continue
      const claimInMs = this.#claimsAgain(result, index) ? OFFER_AGAIN_MS : undefined
      this.#report({ kind: 'mount_lost', service, mount, detail, claimInMs })
    }
  }

  #onControl(tunnel: Tunnel, message: ControlMessage): void {
    switch (message.type) {
      case 'renewed':
        this.#renewal.onRenewed(message.token, message.detail)
        break
      case 'replicas':
        this.#addresses.learn(message.replicas.flatMap(readAddress))
        this.#balanceSoon()
        break
      case 'probe': {
        const { service } = message
        const checked = this.#checks.find(each => each.service === service)
        checked?.check.probe(health => tunnel.send({ type: 'probed', service, health }))
        break
      }
      default:
      // Plugboard sends no other message that a Telephone uses.
    }
  }

  #announce(): void {
    for (const tunnel of this.#tunnels) tunnel.announce()
  }

  #startRest(): void {
    if (this.#closing !== undefined) return
    for (const tunnel of this.#tunnels.slice(this.#started)) tunnel.start()
    this.#started = this.#tunnels.length
  }

  /** When two tunnels share a replica and another replica is unused, moves the later tunnel. One move at a time. */
  #balance(): void {
    if (this.#closing !== undefined || this.#tunnels.some(({ state }) => state !== 'ready')) return
    const places = this.#places()
    if (!this.#addresses.hasUnused(places)) return
    const doubled = (tunnel: Tunnel): boolean =>
      this.#places(tunnel).some(({ replicaId }) => replicaId === tunnel.place?.replicaId)
    this.#tunnels.findLast(doubled)?.move()
  }

  /** All telephones receive the address of a new replica at the same time, so each one moves after a random delay. */
  #balanceSoon(): void {
    if (this.#closing !== undefined) return
    this.#rebalance?.cancel()
    this.#rebalance = this.#clock.after(this.#random() * REBALANCE_SPREAD_MS, () => {
      this.#balance()
      this.#watchBalance()
    })
  }

  #watchBalance(): void {
    this.#rebalance = this.#clock.after(REBALANCE_MS, () => {
      this.#balance()
      this.#watchBalance()
    })
  }

  /** Returns the addresses of the tunnels without `except`. */
  #places(except?: Tunnel): PlugboardAddress[] {
    return this.#tunnels.flatMap(tunnel =>
      tunnel === except || tunnel.place === undefined ? [] : [tunnel.place],
    )
  }

  #backend(service: Service): Backend {
    const { target } = service
    if (typeof target === 'function') {
      const onError = (error: unknown, { method, target: uri }: Opening): void => {
        const path = cutText(uri.split('?', 1)[0] as string)
        this.#report({ kind: 'handler_failed', service: service.service, method, path, error })
      }
      return new HandlerBackend(target, { onError, clock: this.#clock })
    }
    const { tlsVerify, tlsCa, hostHeader, pool } = service
    // An upload starts with at most the bytes that the tunnel sends before they are accepted.
    const windowBytes = this.#options.limits?.initialWindowBytes ?? DEFAULT_LIMITS.initialWindowBytes
    const backend = targetText(target)
    const failures = new FailureLog({
      clock: this.#clock,
      report: report => this.#report({ kind: 'backend_failures', service: service.service, backend, report }),
    })
    return new HttpBackend(target, this.#clock, {
      failures,
      ...pool,
      ...this.#backendLimits.limits.get(service.service),
      uploadStartBytes: Math.min(UNACCEPTED_BYTES, windowBytes),
      ...(tlsVerify !== undefined && { tlsVerify }),
      ...(tlsCa !== undefined && { tlsCa }),
      ...(hostHeader !== undefined && { hostHeader }),
    })
  }

  #healthCheck(service: Service, index: number): HealthCheck | undefined {
    const { target, healthCheck: check, healthIntervalMs: intervalMs = 10_000 } = service
    const { tlsVerify, tlsCa, backendParsing } = service
    if (check === undefined || typeof target === 'function') return undefined
    const onChange = (health: 'up' | 'down', outage: HealthOutage | undefined): void => {
      const announcement = this.#announcements[index]
      if (announcement === undefined) return
      const { outage: _before, ...rest } = announcement
      this.#announcements[index] = { ...rest, health, ...(outage && { outage: announcedOutage(outage) }) }
      this.#announcementId += 1
      const detail = outage?.detail ?? 'the health check passes'
      this.#report({ kind: 'health', service: service.service, health, detail, outage })
      this.#announce()
    }
    const connection = {
      ...(tlsVerify !== undefined && { tlsVerify }),
      ...(tlsCa !== undefined && { tlsCa }),
      ...(backendParsing !== undefined && { backendParsing }),
    }
    return new HealthCheck({ ...connection, target, check, intervalMs, clock: this.#clock, onChange })
  }

  #report(event: TelephoneEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        // The error of a listener becomes an uncaught error, as for an EventTarget. The tunnel and other listeners continue.
        process.nextTick(() => {
          throw error
        })
      }
    }
  }
}

function announcementOf(service: Service): ServiceAnnouncement {
  const { mount, generatedHost, ephemeral = false, weight, version, labels } = service
  // 0 selects the time for which Plugboard keeps ephemeral mounts.
  const lifetimeMs = service.mountLifetimeMs ?? (ephemeral || generatedHost !== undefined ? 0 : undefined)
  return {
    service: service.service,
    ...(mount !== undefined && { mount }),
    ...(generatedHost !== undefined && { generatedHost }),
    ...(lifetimeMs !== undefined && { lifetimeMs }),
    health: 'up',
    ...(service.healthCheck !== undefined && { healthCheck: true }),
    weight: weight ?? 100,
    version: version ?? '',
    labels: { ...labels },
  }
}

function announcedOutage({ cause, detail, sinceMs }: HealthOutage): ServiceAnnouncement['outage'] {
  return { cause, detail: cutText(detail, MAX_OUTAGE_DETAIL), sinceMs: Math.max(0, Math.floor(sinceMs)) }
}

/** Returns a name that is unique when hosts have unique names. With one service, it contains the service too. */
function defaultName(services: readonly Service[]): string {
  const only = services.length === 1 ? services[0] : undefined
  return only === undefined ? hostname() : `${hostname()}-${only.service}`
}

/** Returns the address; an empty list for an address that cannot be used, because it must not end the tunnel. */
function readAddress({ id, url }: { id: string; url: string }): Address[] {
  try {
    return [{ url: tunnelUrl(url), replicaId: id }]
  } catch {
    return []
  }
}
