// Accepts the tunnels of this replica, and closes them when their token is revoked, its key is removed, or this replica stops.
// The parts: tunnels/local-tunnels.ts is the set of tunnels, tunnels/tunnel-mover.ts moves them to other replicas, and
// telephone-list.ts lists them for the admin API. telephone-instances.ts decides which of two processes of a telephone serves.

import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { type Identity, Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { ReplicaId } from '../common/ids/replica-id.ts'
import type { Store } from '../database/store/store.ts'
import type { TokenReference } from '../database/store/values/token-reference.ts'
import { asTunnelId } from '../registry/line-ids.ts'
import type { Registry } from '../registry/registry.ts'
import { TunnelCounts } from '../registry/tunnel-counts.ts'
import { waitUntilApplied } from '../routes/applied-changes.ts'
import type { Directory } from '../routes/directory.ts'
import type { ClaimRules } from './announcement.ts'
import type { HeldBudgets } from './held-budgets.ts'
import { SharedServices } from './lines/shared-services.ts'
import type { ListedTelephone } from './listed-telephone.ts'
import { LostMounts } from './lost-mounts.ts'
import { TelephoneInstances } from './telephone-instances.ts'
import { listTelephones } from './telephone-list.ts'
import type { Credential } from './tokens/authenticate.ts'
import type { TokenRefusals } from './tokens/token-refusals.ts'
import { DEFAULT_TOKEN_LIMITS, type DefaultTokenLimits, TokenUsage } from './tokens/token-usage.ts'
import type { TokenIssuer } from './tokens/tokens.ts'
import { LocalTunnels } from './tunnels/local-tunnels.ts'
import { TelephoneTunnel } from './tunnels/telephone-tunnel.ts'
import type { TunnelContext } from './tunnels/tunnel-context.ts'
import { TunnelHistory } from './tunnels/tunnel-history.ts'
import { TunnelMover } from './tunnels/tunnel-mover.ts'
import type { Renewal } from './tunnels/tunnel-token.ts'

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
  readonly history?: TunnelContext['history'] | undefined
  readonly urlOf: TunnelContext['urlOf']
  readonly limits?: Partial<SessionLimits> | undefined
  readonly maxTunnels?: number | undefined
  /** For tokens without limits of their own. */
  readonly tokenLimits?: DefaultTokenLimits | undefined
  /** Default: 10 minutes, and names under `localhost`. */
  readonly claims?: ClaimRules | undefined
  /** Counts of the tunnels on all replicas; default: this replica counts only its own tunnels. */
  readonly tunnelCounts?: TunnelCounts | undefined
  /** Bounds the bytes that tunnels hold; absent: no bound. */
  readonly budgets?: HeldBudgets | undefined
  readonly clock?: Clock | undefined
  readonly log: Logger
}

const DEFAULT_CLAIM_RULES: ClaimRules = { ephemeralGraceMs: 600_000, generatedHosts: '*.localhost' }
const DEFAULT_MAX_TUNNELS = 10_000
/** Streams that a telephone may open at once. Telephones open echo streams only, and need one or two. */
export const TELEPHONE_MAX_STREAMS = 2
/** How long the response to a claim waits for the route to arrive in the directory, ms. */
const ROUTE_ARRIVAL_MS = 2000
const NO_HISTORY: TunnelContext['history'] = {
  tunnelEnded: () => undefined,
  refused: () => undefined,
}

export class Switchboard {
  readonly tunnels = new LocalTunnels()
  readonly mover: TunnelMover
  readonly history: TunnelHistory
  readonly #options: SwitchboardOptions
  readonly #clock: Clock
  readonly #context: TunnelContext
  readonly #unsubscribe: () => void
  readonly #instances: TelephoneInstances
  readonly #shared: SharedServices
  readonly #lostMounts: LostMounts
  readonly #usage: TokenUsage

  constructor(options: SwitchboardOptions) {
    const { tunnels } = this
    const { directory, registry, log } = options
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const clock = this.#clock
    this.history = new TunnelHistory(clock)
    this.mover = new TunnelMover({ tunnels, registry, clock, log })
    this.#instances = new TelephoneInstances(registry, clock)
    this.#shared = new SharedServices(registry, clock, id => tunnels.get(id))
    this.#lostMounts = new LostMounts({ directory, clock, tunnels: () => tunnels })
    this.#usage = new TokenUsage({
      defaults: options.tokenLimits ?? DEFAULT_TOKEN_LIMITS,
      counts: options.tunnelCounts ?? new TunnelCounts(),
      clock,
    })
    this.#context = {
      instances: this.#instances,
      shared: this.#shared,
      usage: this.#usage,
      history: options.history ?? NO_HISTORY,
      tunnelHistory: this.history,
      totals: tunnels.totals,
      replicaId: options.replicaId,
      registry,
      directory,
      tokens: options.tokens,
      claimMount: claim => options.store.claimMount(claim),
      untilApplied: () => this.#untilApplied(),
      claims: options.claims ?? DEFAULT_CLAIM_RULES,
      urlOf: options.urlOf,
      clock,
      log,
    }
    this.#unsubscribe = directory.subscribe({
      tokenRevoked: id =>
        this.#closeWhere(({ token }) => token.kind === 'own' && token.id === id, 'the token was revoked'),
      keysChanged: () =>
        this.#closeWhere(
          ({ kid }) => kid !== undefined && directory.verificationKey(kid) === undefined,
          'the key of the token was removed',
        ),
      databaseReachable: reachable => {
        if (reachable) for (const tunnel of tunnels) tunnel.retryClaims()
      },
    })
  }

  /** The reason for which this replica accepts no new tunnel now; undefined: it accepts one. */
  get refusal(): 'draining' | 'overloaded' | undefined {
    if (this.mover.leaving) return 'draining'
    return this.tunnels.size >= (this.#options.maxTunnels ?? DEFAULT_MAX_TUNNELS) ? 'overloaded' : undefined
  }

  /** Throws VeraError `token_tunnel_limit`. Call `connect` in the same turn, so that two dials cannot take one place. */
  admit(credential: Credential): void {
    this.#usage.admit(credential)
  }

  /** Starts the session of a telephone that has dialled in and passed authentication. */
  connect(transport: Transport, credential: Credential, remoteAddress: string): void {
    const id = asTunnelId(randomUUID())
    const tunnel = new TelephoneTunnel(this.#context, this, { id, credential, remoteAddress })
    this.tunnels.add(tunnel)
    const { identity } = this.#options
    const clock = this.#clock
    const limits = { maxStreams: TELEPHONE_MAX_STREAMS, ...this.#options.limits }
    const held = this.#options.budgets?.ofTunnel(id, credential.token)
    tunnel.attach(new Session({ transport, role: 'acceptor', identity, events: tunnel, clock, limits, held }))
  }

  /** Numbers of refusals by the limits of tokens on this replica. */
  get tokenRefusals(): TokenRefusals {
    return this.#usage.refusals
  }

  /** Returns the number of open tunnels of one of our own tokens, on all replicas. */
  tunnelsOfToken(id: string): number {
    return this.#usage.tunnelsOf(id)
  }

  /** Closes the tunnels of all telephones with this name. The telephones connect again. Returns the number of tunnels. */
  disconnect(name: string, detail: string): number {
    const tunnels = [...this.tunnels].filter(({ hello }) => hello?.name === name)
    for (const tunnel of tunnels) tunnel.close('going_away', detail)
    return tunnels.length
  }

  list(): ListedTelephone[] {
    return listTelephones(this.tunnels, this.#options.replicaId, this.#clock.wallTime())
  }

  /**
   * Drains all tunnels at once. Open streams have `graceMs` to finish. During the first `noticeMs`, the lines are out of the
   * registry but still take streams, because other replicas may have picked a line before they received the removal.
   */
  async drain(graceMs: number, noticeMs = 0): Promise<void> {
    this.mover.startLeaving()
    const tunnels = [...this.tunnels]
    const waitMs = tunnels.length === 0 ? 0 : Math.min(noticeMs, graceMs)
    for (const tunnel of tunnels) tunnel.hide()
    if (waitMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#clock.after(waitMs, resolve)
      await promise
    }
    for (const tunnel of tunnels) tunnel.withdraw()
    await Promise.all(tunnels.map(({ session }) => session.drain(graceMs - waitMs)))
    this.#unsubscribe()
    this.#instances.close()
    this.#shared.close()
    this.#lostMounts.close()
  }

  // Events of the tunnels

  ready(tunnel: TelephoneTunnel): void {
    this.#recordUse(tunnel.credential.token)
    this.mover.tunnelReady(tunnel)
  }

  renewed(tokenId: string, renewal: Renewal): void {
    for (const tunnel of this.tunnels) {
      const { token } = tunnel.credential
      if (token.kind === 'own' && token.id === tokenId) tunnel.extend(renewal)
    }
  }

  closed(tunnel: TelephoneTunnel): void {
    this.tunnels.remove(tunnel)
    this.#lostMounts.remove(tunnel)
    this.mover.tunnelLeft()
  }

  peerDrains(): void {
    this.mover.tunnelLeft()
  }

  #closeWhere(holds: (credential: Credential) => boolean, detail: string): void {
    for (const tunnel of [...this.tunnels]) {
      if (holds(tunnel.credential)) tunnel.close('unauthorized', detail)
    }
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

  /** Records the time at which one of our own tokens was last seen. Other tokens have no row in the database. */
  #recordUse(token: TokenReference): void {
    if (token.kind !== 'own') return
    this.#options.store.tokens.touch(token.id).catch(error => {
      this.#options.log.debug('the time when a token was last seen was not written', {
        tokenId: token.id,
        err: error,
      })
    })
  }
}
