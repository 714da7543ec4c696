// Holds all tunnels of this replica, by id. It closes tunnels when their token is revoked or their key is removed. It gives
// the line picker the upstream of a line, and the admin API the list of connected telephones. telephone-instances.ts decides
// which of two processes of a telephone serves.

import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { type Identity, Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { ReplicaId } from '../common/replica-id.ts'
import type { Store } from '../database/store/store.ts'
import { type TokenReference, tokenText } from '../database/store/token-reference.ts'
import { type Line, sameProcess } from '../registry/line.ts'
import { asTunnelId, type TunnelId } from '../registry/line-ids.ts'
import { cleanOutage, type LineOutage } from '../registry/outage.ts'
import type { Registry } from '../registry/registry.ts'
import { TunnelCounts } from '../registry/tunnel-counts.ts'
import type { Upstream } from '../registry/upstream.ts'
import { waitUntilApplied } from '../routes/applied-changes.ts'
import type { Directory } from '../routes/directory.ts'
import type { ClaimRules } from './announcement.ts'
import type { ConnectedService, ConnectedTelephone } from './connected-telephone.ts'
import type { HeldBudgets } from './held-budgets.ts'
import { SharedServices } from './lines/shared-services.ts'
import { LostMounts } from './lost-mounts.ts'
import { type ConnectionContext, type Renewal, TelephoneConnection } from './telephone-connection.ts'
import { TelephoneInstances } from './telephone-instances.ts'
import type { Credential } from './tokens/authenticate.ts'
import type { TokenRefusals } from './tokens/token-refusals.ts'
import { DEFAULT_TOKEN_LIMITS, type DefaultTokenLimits, TokenUsage } from './tokens/token-usage.ts'
import type { TokenIssuer } from './tokens/tokens.ts'

export interface SwitchboardOptions {
  readonly replicaId: ReplicaId
  /** Name and agent in the hello of this replica. */
  readonly identity: Identity
  readonly directory: Pick<
    Directory,
    'serviceByName' | 'routesOfService' | 'route' | 'subscribe' | 'verificationKey' | 'waitForSequence'
  >
  readonly store: Pick<Store, 'claimMount' | 'tokens' | 'changes'>
  readonly tokens: Pick<TokenIssuer, 'renew' | 'expiryOf'>
  readonly registry: Registry
  /** Records the ends of tunnels and the refused announcements; absent: they are not recorded. */
  readonly history?: ConnectionContext['history'] | undefined
  readonly urlOf: ConnectionContext['urlOf']
  readonly limits?: Partial<SessionLimits> | undefined
  readonly maxTunnels?: number | undefined
  /** For tokens without limits of their own. */
  readonly tokenLimits?: DefaultTokenLimits | undefined
  /** Default: 10 minutes, and names beneath `localhost`. */
  readonly claims?: ClaimRules | undefined
  /** Counts of the tunnels on all replicas; default: this replica counts only its own tunnels. */
  readonly tunnelCounts?: TunnelCounts | undefined
  /** Bounds the bytes that tunnels hold; absent: no bound. */
  readonly budgets?: HeldBudgets | undefined
  readonly clock?: Clock | undefined
  readonly log: Logger
}

export interface ReplicaAddress {
  readonly id: ReplicaId
  readonly url: string
}

const DEFAULT_CLAIM_RULES: ClaimRules = { ephemeralGraceMs: 600_000, generatedHosts: '*.localhost' }
const DEFAULT_MAX_TUNNELS = 10_000
/** Streams that a telephone may open at once. Telephones open echo streams only, and need one or two. */
export const TELEPHONE_MAX_STREAMS = 2
/** How long the response to a claim waits for the route to arrive in the directory, ms. */
const ROUTE_ARRIVAL_MS = 2000
/** Shortest time before a telephone is asked again to move the same tunnel, ms. */
const MOVE_AGAIN_MS = 60_000
const NO_HISTORY: ConnectionContext['history'] = {
  tunnelEnded: () => undefined,
  refused: () => undefined,
}
const LEAVING = { type: 'move', why: 'leaving' } as const

export class Switchboard {
  readonly #options: SwitchboardOptions
  readonly #clock: Clock
  readonly #context: ConnectionContext
  readonly #connections = new Map<TunnelId, TelephoneConnection>()
  readonly #unsubscribe: () => void
  readonly #instances: TelephoneInstances
  readonly #shared: SharedServices
  readonly #lostMounts: LostMounts
  readonly #usage: TokenUsage
  #draining = false
  /** Set while `leave` waits. Called when a tunnel closes or its telephone drains it. */
  #emptied: (() => void) | undefined
  #replicas: readonly ReplicaAddress[] = []

  constructor(options: SwitchboardOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#instances = new TelephoneInstances(options.registry, this.#clock)
    this.#shared = new SharedServices(options.registry, this.#clock, id => this.#connections.get(id))
    this.#lostMounts = new LostMounts({
      directory: options.directory,
      clock: this.#clock,
      tunnels: () => this.#connections.values(),
    })
    this.#usage = new TokenUsage({
      defaults: options.tokenLimits ?? DEFAULT_TOKEN_LIMITS,
      counts: options.tunnelCounts ?? new TunnelCounts(),
      clock: this.#clock,
    })
    this.#context = {
      instances: this.#instances,
      shared: this.#shared,
      usage: this.#usage,
      history: options.history ?? NO_HISTORY,
      replicaId: options.replicaId,
      registry: options.registry,
      directory: options.directory,
      tokens: options.tokens,
      claimMount: claim => options.store.claimMount(claim),
      untilApplied: () => this.#untilApplied(),
      claims: options.claims ?? DEFAULT_CLAIM_RULES,
      urlOf: options.urlOf,
      clock: this.#clock,
      log: options.log,
    }
    this.#unsubscribe = options.directory.subscribe({
      tokenRevoked: id =>
        this.#closeWhere(({ token }) => token.kind === 'own' && token.id === id, 'the token was revoked'),
      keysChanged: () =>
        this.#closeWhere(
          ({ kid }) => kid !== undefined && options.directory.verificationKey(kid) === undefined,
          'the key of the token was removed',
        ),
      databaseReachable: reachable => {
        if (reachable) for (const connection of this.#connections.values()) connection.retryClaims()
      },
    })
  }

  async #untilApplied(): Promise<void> {
    const { directory, store, log } = this.#options
    try {
      const { changes } = store
      await waitUntilApplied({ changes, directory, clock: this.#clock, timeoutMs: ROUTE_ARRIVAL_MS })
    } catch (err) {
      // The route is claimed, so its URL is announced.
      log.warn('the URL of a claimed route was announced before this replica applied the change', { err })
    }
  }

  /** The reason for which this replica accepts no new tunnel now; undefined: it accepts one. */
  get refusal(): 'draining' | 'overloaded' | undefined {
    if (this.#draining) return 'draining'
    return this.#connections.size >= (this.#options.maxTunnels ?? DEFAULT_MAX_TUNNELS)
      ? 'overloaded'
      : undefined
  }

  /** Throws VeraError `token_tunnel_limit`. Call `connect` in the same turn, so that two dials cannot take one place. */
  admit(credential: Credential): void {
    this.#usage.admit(credential)
  }

  /** Numbers of refusals by the limits of tokens on this replica. */
  get tokenRefusals(): TokenRefusals {
    return this.#usage.refusals
  }

  /** Returns the number of open tunnels of one of our own tokens, on all replicas. */
  tunnelsOfToken(id: string): number {
    return this.#usage.tunnelsOf(id)
  }

  /** Probes all tunnels after this process was suspended. No tunnel is picked before its telephone has responded. */
  probe(onProved: () => void): void {
    for (const { session } of this.#connections.values()) session.probe(onProved)
  }

  /** True when no open tunnel still waits for a response to its probe. */
  get proved(): boolean {
    for (const { session } of this.#connections.values()) {
      if (session.state === 'open' && !session.reachable) return false
    }
    return true
  }

  /** Number of tunnels without those that drain. A draining tunnel may carry a stream for days, but takes no new streams. */
  get tunnelCount(): number {
    let count = 0
    for (const { leaving } of this.#connections.values()) if (!leaving) count += 1
    return count
  }

  get streamCount(): number {
    let count = 0
    for (const { session } of this.#connections.values()) count += session.streamCount
    return count
  }

  /** Starts the session of a telephone that has dialled in and passed authentication. */
  connect(transport: Transport, credential: Credential, remoteAddress: string): void {
    const tunnel = { id: asTunnelId(randomUUID()), credential, remoteAddress }
    const connection = new TelephoneConnection(this.#context, this, tunnel)
    const { identity } = this.#options
    this.#connections.set(connection.tunnelId, connection)
    const clock = this.#clock
    const limits = { maxStreams: TELEPHONE_MAX_STREAMS, ...this.#options.limits }
    const held = this.#options.budgets?.ofTunnel(tunnel.id, credential.token)
    connection.attach(
      new Session({ transport, role: 'acceptor', identity, events: connection, clock, limits, held }),
    )
  }

  /** Returns the session of a line whose tunnel ends on this replica. */
  upstreamOf(line: Line): Upstream | undefined {
    return this.#connections.get(line.tunnelId)?.session
  }

  /** Returns the session of a picked tunnel; undefined: the tunnel has closed, or takes no streams for the service. */
  tunnelOf(tunnelId: TunnelId, service: string): Upstream | undefined {
    const connection = this.#connections.get(tunnelId)
    return connection?.takes(service) ? connection.session : undefined
  }

  list(): ConnectedTelephone[] {
    const telephones: ConnectedTelephone[] = []
    const nowMs = this.#clock.wallTime()
    for (const connection of this.#connections.values()) {
      const { hello, session } = connection
      if (hello === undefined) continue
      telephones.push({
        id: connection.tunnelId,
        name: hello.name,
        instance: hello.instance,
        agent: hello.agent,
        remoteAddress: connection.remoteAddress,
        connectedAt: connection.connectedAt.toISOString(),
        services: servicesOf(connection, nowMs),
        tokenId: tokenText(connection.credential.token),
        streams: session.streamCount,
        rttMs: session.rttMs ?? null,
        replicaId: this.#options.replicaId,
      })
    }
    return telephones
  }

  /** Sets the addresses that telephones can dial. Sends them to all telephones now, and to each new one. */
  setReplicas(replicas: readonly ReplicaAddress[]): void {
    this.#replicas = replicas
    for (const connection of this.#connections.values()) {
      if (connection.hello !== undefined) this.#tellReplicas(connection)
    }
  }

  /**
   * Asks telephones to move up to `count` tunnels to replica `to`, starting with the tunnels with the fewest streams. Skips
   * processes that have a line on that replica already, and tunnels that were asked recently. Returns the number asked.
   */
  move(count: number, to: ReplicaId): number {
    const nowMs = this.#clock.now()
    const movable = [...this.#connections.values()]
      .filter(({ hello, leaving, movedAtMs }) => hello && !leaving && nowMs - movedAtMs >= MOVE_AGAIN_MS)
      .filter(connection => !this.#reaches(connection, to))
      .sort((left, right) => left.session.streamCount - right.session.streamCount)
      .slice(0, count)
    for (const connection of movable) {
      connection.movedAtMs = nowMs
      connection.session.sendControl({ type: 'move', why: 'balance', to })
    }
    return movable.length
  }

  /**
   * Prepares a stop of this replica: accepts no new tunnels, and asks telephones to move theirs to other replicas. Tunnels
   * serve until their telephones drain them. Resolves when all tunnels drain or are closed, or after `patienceMs`.
   */
  async leave(patienceMs: number): Promise<void> {
    this.#draining = true
    for (const connection of this.#connections.values()) connection.session.sendControl(LEAVING)
    if (patienceMs === 0) return
    const gone = Promise.withResolvers<void>()
    const timer = this.#clock.after(patienceMs, () => gone.resolve())
    this.#emptied = () => {
      if ([...this.#connections.values()].every(({ leaving }) => leaving)) gone.resolve()
    }
    this.#emptied()
    await gone.promise
    this.#emptied = undefined
    timer.cancel()
  }

  /**
   * Drains all tunnels at once. Open streams have `graceMs` to finish. During the first `noticeMs`, the lines are out of the
   * registry but still take streams, because other replicas may have picked a line before they received the removal.
   */
  async drain(graceMs: number, noticeMs = 0): Promise<void> {
    this.#draining = true
    const connections = [...this.#connections.values()]
    const waitMs = connections.length === 0 ? 0 : Math.min(noticeMs, graceMs)
    for (const connection of connections) connection.hide()
    if (waitMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#clock.after(waitMs, resolve)
      await promise
    }
    for (const connection of connections) connection.withdraw()
    await Promise.all(connections.map(({ session }) => session.drain(graceMs - waitMs)))
    this.#unsubscribe()
    this.#instances.close()
    this.#shared.close()
    this.#lostMounts.close()
  }

  // Events of the connections

  ready(newcomer: TelephoneConnection): void {
    this.#touch(newcomer.credential.token)
    if (this.#replicas.length > 0) this.#tellReplicas(newcomer)
    if (this.#draining) newcomer.session.sendControl(LEAVING)
  }

  renewed(tokenId: string, renewal: Renewal): void {
    for (const connection of this.#connections.values()) {
      const { token } = connection.credential
      if (token.kind === 'own' && token.id === tokenId) connection.extend(renewal)
    }
  }

  closed(connection: TelephoneConnection): void {
    this.#connections.delete(connection.tunnelId)
    this.#lostMounts.remove(connection)
    this.#emptied?.()
  }

  peerDrains(): void {
    this.#emptied?.()
  }

  /** Records the time at which one of our own tokens was last seen. Other tokens have no row in the database. */
  #touch(token: TokenReference): void {
    if (token.kind !== 'own') return
    this.#options.store.tokens.touch(token.id).catch(error => {
      this.#options.log.debug('the time when a token was last seen was not written', {
        tokenId: token.id,
        err: error,
      })
    })
  }

  #tellReplicas(connection: TelephoneConnection): void {
    if (connection.session.sendControl({ type: 'replicas', replicas: [...this.#replicas] })) return
    // The telephone keeps the addresses that it has.
    this.#options.log.warn('the replica addresses exceed the frame size of a telephone', {
      tunnelId: connection.tunnelId,
    })
  }

  /** True when the process of the tunnel has a line of the same service on that replica. */
  #reaches({ tunnelId }: TelephoneConnection, replicaId: ReplicaId): boolean {
    const { registry } = this.#options
    for (const own of registry.linesOfTunnel(tunnelId)) {
      for (const line of registry.linesOf(own.service)) {
        if (line.replicaId === replicaId && sameProcess(line, own)) return true
      }
    }
    return false
  }

  #closeWhere(holds: (credential: Credential) => boolean, detail: string): void {
    for (const connection of [...this.#connections.values()]) {
      if (holds(connection.credential)) connection.close('unauthorized', detail)
    }
  }
}

function servicesOf(connection: TelephoneConnection, nowMs: number): ConnectedService[] {
  const services = new Map<string, ConnectedService>()
  for (const { announcement, mount } of connection.services) {
    const { service, health, weight, version, labels } = announcement
    const outage = health === 'down' ? outageOf(announcement.outage, nowMs) : null
    const fields = { service, health, weight, version, outage, labels: { ...labels } }
    const entry = services.get(service) ?? { ...fields, mounts: [] }
    if (mount !== undefined) entry.mounts.push(mount)
    services.set(service, entry)
  }
  return [...services.values()]
}

function outageOf(announced: LineOutage | undefined, nowMs: number): ConnectedService['outage'] {
  const outage = cleanOutage(announced, nowMs)
  if (outage === undefined) return null
  const { sinceMs, cause = null, detail } = outage
  return { since: new Date(sinceMs).toISOString(), cause, detail }
}
