// The life of one tunnel, driven by the events of its session: hello, announcements, lines in the registry, token renewal,
// close. The session below it carries the streams; the switchboard above it holds all tunnels. The order of the methods
// follows the life of a telephone.
//
//   connected ──hello──▶ ready ──announce──▶ lines ──peer drains──▶ no lines ──▶ closed
//                          └──────── expired, revoked, replaced, lost ─────────────┘

import type { Clock, Timer } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type {
  Announce,
  ControlMessage,
  Hello,
  ServiceAnnouncement,
} from '@vera-stack/shared/protocol/control/control.ts'
import type { Session, SessionEvents } from '@vera-stack/shared/protocol/session.ts'
import { EchoStream } from '@vera-stack/shared/protocol/streams/echo-stream.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { tokenText } from '../../database/store/values/token-reference.ts'
import type { Line } from '../../registry/line.ts'
import { lineId, type TunnelId } from '../../registry/line-ids.ts'
import { cleanOutage } from '../../registry/line-outage.ts'
import type { Registry } from '../../registry/registry.ts'
import {
  type AnnouncementDecision,
  type AnnouncementOptions,
  evaluateAnnouncement,
  refuseAll,
  resultsOf,
} from '../announcement.ts'
import { type Generation, identityOf, packGeneration } from '../generation.ts'
import { holderDigest } from '../held-budgets.ts'
import type { ServiceHistory } from '../lines/service-history.ts'
import type { RemarkedTunnel, SharedServices } from '../lines/shared-services.ts'
import { type MountedTunnel, type RemovedRoutes, reviewVerdict } from '../lost-mounts.ts'
import type { InstanceTunnel, TelephoneInstances } from '../telephone-instances.ts'
import type { Credential } from '../tokens/authenticate.ts'
import { announcedLength, MAX_ANNOUNCEMENT_WAIT_MS, type TokenUsage } from '../tokens/token-usage.ts'
import type { TokenIssuer } from '../tokens/tokens.ts'
import { SupersededProbe } from './superseded-probe.ts'

export interface TunnelContext extends AnnouncementOptions {
  readonly clock: Clock
  readonly replicaId: ReplicaId
  readonly registry: Registry
  readonly instances: TelephoneInstances
  readonly shared: SharedServices
  readonly usage: TokenUsage
  readonly history: Pick<ServiceHistory, 'tunnelEnded' | 'refused'>
  readonly tokens: Pick<TokenIssuer, 'renew' | 'expiryOf'>
  readonly log: Logger
}

/** The part of a credential that a renewal changes. */
export type Renewal = Pick<Credential, 'services' | 'mounts' | 'limits' | 'expiresAtMs'>

/** The owner of the tunnel, notified of events that concern more than this tunnel. */
export interface TelephoneTunnelOwner {
  /** Called when the hello has arrived. */
  ready(tunnel: TelephoneTunnel): void
  /** Called when one of our own tokens was renewed. The renewal applies to all tunnels of the token. */
  renewed(tokenId: string, renewal: Renewal): void
  /** Called when the telephone starts to drain its tunnel. */
  peerDrains(): void
  closed(tunnel: TelephoneTunnel): void
}

/** Longest delay of a Node timer, ms. */
const LONGEST_TIMER_MS = 0x7fff_ffff
/** Interval between checks of an expired token while the database is unavailable, ms. */
const EXPIRY_RETRY_MS = 30_000
const RENEWED_ELSEWHERE =
  'Plugboard did not issue this token and cannot renew it. Get a new token from its issuer and put it into the token file.'

const SUPERSEDED =
  'A newer process of this telephone serves it. Stop one of the two, or give them different names (--name).'
const NO_SERVICES: ReadonlySet<string> = new Set()

export class TelephoneTunnel implements SessionEvents, InstanceTunnel, RemarkedTunnel, MountedTunnel {
  readonly tunnelId: TunnelId
  readonly remoteAddress: string
  readonly connectedAt: Date
  /** Time of the last request to move this tunnel to another replica, ms of the clock. */
  moveAskedMs = Number.NEGATIVE_INFINITY
  readonly #context: TunnelContext
  readonly #owner: TelephoneTunnelOwner
  readonly #log: Logger
  #credential: Credential
  #session: Session | undefined
  #hello: Hello | undefined
  #generation: Generation | undefined
  readonly #holder: string
  #draining = false
  /** The announcement to which `#verdicts` belong. */
  #announcement: Announce | undefined
  #verdicts: readonly AnnouncementDecision[] = []
  #acceptedServices: ReadonlySet<string> = NO_SERVICES
  #supersededServices: ReadonlySet<string> = NO_SERVICES
  /** Services for which a line of this tunnel takes streams. */
  #taken: ReadonlySet<string> = new Set()
  /** The newest announcement, which is evaluated after the current one. A newer one replaces it. */
  #waiting: Announce | undefined
  #evaluating = false
  /** Routes that were removed while an announcement was evaluated. */
  #unreviewed: RemovedRoutes[] = []
  /** Runs while the announcement waits for its place (token-usage.ts). */
  #placeTimer: Timer | undefined
  /** Length of the last evaluated announcement, as counted in the usage of the token. */
  #announcedLength = 0
  /** The last evaluated announcement, when a part of it has to be retried. */
  #unfinished: Announce | undefined
  #renewing = false
  #expiryTimer: Timer | undefined
  /** Set while a newer process serves all services of this tunnel. */
  #standby: SupersededProbe | undefined
  /** The remarks in the last `announced` message. */
  #sentRemarks = ''

  constructor(
    context: TunnelContext,
    owner: TelephoneTunnelOwner,
    tunnel: { readonly id: TunnelId; readonly credential: Credential; readonly remoteAddress: string },
  ) {
    this.#context = context
    this.#owner = owner
    this.#credential = tunnel.credential
    this.#holder = holderDigest(tunnel.credential.token)
    this.tunnelId = tunnel.id
    this.remoteAddress = tunnel.remoteAddress
    this.connectedAt = new Date(context.clock.wallTime())
    context.usage.opened(tunnel.credential)
    this.#log = context.log.child({ tunnelId: tunnel.id, tokenId: tokenText(tunnel.credential.token) })
  }

  /** Sets the session whose events go to this connection. Call it once. */
  attach(session: Session): void {
    this.#session = session
    this.#watchExpiry()
  }

  get credential(): Credential {
    return this.#credential
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error('the connection has no session yet')
    return this.#session
  }

  /** The hello of the telephone; undefined before it arrives. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** True when the tunnel drains: it has no lines, and gets no new ones. */
  get draining(): boolean {
    return this.#draining
  }

  /** Undefined before the hello. */
  get generation(): Generation | undefined {
    return this.#generation
  }

  get acceptedServices(): ReadonlySet<string> {
    return this.#acceptedServices
  }

  get supersededServices(): ReadonlySet<string> {
    return this.#supersededServices
  }

  /** The services of the last announcement that this tunnel serves. */
  get services(): readonly AnnouncementDecision[] {
    return this.#results.filter(verdict => verdict.accepted)
  }

  /** Returns true when the tunnel takes streams for the service. */
  takes(service: string): boolean {
    return this.#taken.has(service)
  }

  close(reason: Reason, detail: string): void {
    // Withdraws the lines now, because the session takes no more streams while it waits for the peer's close.
    this.withdraw()
    this.#session?.close(reason, detail)
  }

  /**
   * Sets the services of this tunnel that a newer process serves. Withdraws their lines, and restores the lines of all
   * other services. Open streams go on. A tunnel without another service stands by: its lines come back as soon as the
   * newer process has no line of them.
   */
  supersede(services: ReadonlySet<string>): void {
    if (this.#draining || this.#announcement === undefined) return
    const before = this.#supersededServices
    if (services.size === before.size && [...services].every(service => before.has(service))) return
    this.#supersededServices = services
    if (this.#serveRest()) this.#respond(this.#announcement, this.#results)
  }

  /** Sends the results again when other telephones have started or stopped serving a service of this tunnel. */
  remarksChanged(): void {
    if (this.#draining || this.#evaluating || this.#announcement === undefined) return
    const results = this.#results
    if (remarksOf(results) !== this.#sentRemarks) this.#respond(this.#announcement, results)
  }

  /** Reviews the mounts after a change of routes. Sends the results again when a mount was lost or is back. */
  reviewMounts(removed: RemovedRoutes): boolean {
    if (this.#draining) return false
    if (this.#evaluating) {
      this.#unreviewed.push(removed)
      return true
    }
    this.#verdicts = this.#reviewed(this.#verdicts, removed)
    this.remarksChanged()
    return this.#verdicts.some(({ lostMount }) => lostMount !== undefined)
  }

  /** Applies a renewal of the token over this tunnel or another one. `kid` stays the key that signed this tunnel's JWT. */
  extend(renewal: Renewal): void {
    this.#credential = { ...this.#credential, ...renewal }
    this.#watchExpiry()
  }

  /** Retries the claims that failed while the database was unavailable. */
  retryClaims(): void {
    const unfinished = this.#unfinished
    if (unfinished === undefined || this.#waiting !== undefined) return
    this.#unfinished = undefined
    this.#waiting = unfinished
    if (!this.#evaluating) void this.#evaluateWaiting()
  }

  // The session's events

  onReady(peer: Hello): void {
    this.#hello = peer
    const { instances } = this.#context
    this.#generation = instances.generationOf(peer, identityOf(this.#credential))
    instances.add(this)
    this.#log.info('telephone connected', {
      telephoneId: peer.name,
      agent: peer.agent,
      remoteAddress: this.remoteAddress,
    })
    this.#owner.ready(this)
  }

  onStream(stream: Stream, opening: Opening): StreamEvents {
    if (opening.kind === 'echo') return new EchoStream(stream)
    stream.reset('unknown_kind')
    return REFUSED_STREAM
  }

  onControl(message: ControlMessage): void {
    if (message.type === 'announce') this.#announced(message)
    else if (message.type === 'renew') void this.#renew()
  }

  onPeerDrain(): void {
    this.withdraw()
    this.#owner.peerDrains()
  }

  onClose(error: TunnelError): void {
    this.#expiryTimer?.cancel()
    this.#placeTimer?.cancel()
    this.#waiting = undefined
    this.#unfinished = undefined
    this.withdraw()
    const fields = { telephoneId: this.#hello?.name, code: error.reason, detail: error.message }
    this.#log.info('telephone disconnected', fields)
    this.#context.history.tunnelEnded(this.tunnelId, this.#acceptedServices, error.reason, error.message)
    this.#context.instances.remove(this)
    this.#context.usage.hold(this.#credential, 0, this.#announcedLength)
    this.#context.usage.closed(this.#credential)
    this.#owner.closed(this)
  }

  // Announcements

  #announced(message: Announce): void {
    this.#waiting = message
    if (!this.#evaluating && this.#placeTimer === undefined) this.#evaluateInTurn()
  }

  /** Evaluates the newest announcement, now or when the token's rate allows it. */
  #evaluateInTurn(): void {
    const { usage, clock } = this.#context
    const waitMs = this.#withinLimits(() => usage.reserve(this.#credential, MAX_ANNOUNCEMENT_WAIT_MS))
    if (waitMs === undefined) return
    if (waitMs === 0) {
      void this.#evaluateWaiting()
      return
    }
    this.#placeTimer = clock.after(waitMs, () => {
      this.#placeTimer = undefined
      void this.#evaluateWaiting()
    })
  }

  /** Returns undefined when the token exceeds a limit. It then refuses the waiting announcement, and the previous one stays. */
  #withinLimits<Result>(take: () => Result): Result | undefined {
    try {
      return take()
    } catch (error) {
      if (!(error instanceof VeraError)) throw error
      this.#log.warn('announcement refused', { code: error.code, detail: error.message })
      const message = this.#take()
      if (message !== undefined) this.#respond(message, refuseAll(message.services, error))
      return undefined
    }
  }

  async #evaluateWaiting(): Promise<void> {
    const length = announcedLength(this.#waiting?.services ?? [])
    const held = this.#withinLimits(() => {
      this.#context.usage.hold(this.#credential, length, this.#announcedLength)
      return true
    })
    const message = this.#take()
    if (held === undefined || message === undefined) return
    this.#announcedLength = length
    this.#evaluating = true
    try {
      await this.#evaluate(message)
    } catch (error) {
      this.#log.error('an announcement could not be checked', { err: error })
      this.close('internal_error', 'the announcement could not be checked')
    } finally {
      this.#evaluating = false
      this.#unreviewed = []
    }
    if (this.#waiting !== undefined) this.#evaluateInTurn()
  }

  async #evaluate(message: Announce): Promise<void> {
    const isWanted = (): boolean => this.session.state !== 'closed'
    const verdicts: readonly AnnouncementDecision[] = await evaluateAnnouncement(
      message.services,
      this.#credential,
      this.#context,
      isWanted,
    )
    if (!isWanted()) return
    this.#unfinished = verdicts.some(verdict => verdict.tryLater) ? message : undefined
    this.#announcement = message
    this.#verdicts = this.#unreviewed.reduce((all, removed) => this.#reviewed(all, removed), verdicts)
    this.#noteRefusals(verdicts)
    this.#acceptedServices = new Set(
      verdicts.flatMap(({ accepted, announcement }) => (accepted ? [announcement.service] : [])),
    )
    if (!this.#draining) {
      this.#supersededServices = this.#context.instances.supersededServices(this)
      if (!this.#serveRest()) return
    }
    this.#respond(message, this.#results)
  }

  #reviewed(verdicts: readonly AnnouncementDecision[], removed: RemovedRoutes): AnnouncementDecision[] {
    return verdicts.map(verdict => reviewVerdict(verdict, removed, this.#credential, this.#context))
  }

  /** Records refusals of existing services only, because a telephone may announce any name. */
  #noteRefusals(verdicts: readonly AnnouncementDecision[]): void {
    const { directory, history } = this.#context
    for (const { accepted, announcement, code, detail } of verdicts) {
      const { service } = announcement
      if (accepted || code === undefined || directory.serviceByName(service) === undefined) continue
      history.refused(service, { telephone: this.#hello?.name ?? '', code, detail: detail ?? '' })
    }
  }

  /** The results for the telephone. A service that a newer process serves counts as refused. */
  get #results(): readonly AnnouncementDecision[] {
    return this.#verdicts.map(verdict => {
      if (!verdict.accepted) return verdict
      if (this.#supersededServices.has(verdict.announcement.service)) {
        return { ...verdict, accepted: false, detail: SUPERSEDED, urls: [] }
      }
      const remark = this.#context.shared.remarkFor(this.#lineOf(verdict.announcement))
      return remark === undefined ? verdict : { ...verdict, detail: joined(verdict.detail, remark) }
    })
  }

  /** True when a newer process serves all accepted services of this tunnel. */
  get #isReplaced(): boolean {
    return this.#supersededServices.size > 0 && this.#supersededServices.size === this.#acceptedServices.size
  }

  /** Serves the services that no newer process serves, or stands by. Returns false when the tunnel closes instead. */
  #serveRest(): boolean {
    if (!this.#isReplaced) {
      this.#endStandby()
      this.#serve(this.#lines())
      return true
    }
    this.#serve([])
    if (this.#standby !== undefined) return true
    const { usage, clock } = this.#context
    const detail = 'a newer process of this telephone serves all its services'
    if (!usage.standBy(this.#credential)) {
      this.close('replaced', detail)
      return false
    }
    this.#standby = new SupersededProbe(this.session, clock, () => this.close('replaced', detail))
    return true
  }

  #endStandby(): void {
    if (this.#standby === undefined) return
    this.#standby.cancel()
    this.#standby = undefined
    this.#context.usage.serveAgain(this.#credential)
  }

  #respond({ id }: Announce, verdicts: readonly AnnouncementDecision[]): void {
    this.#sentRemarks = remarksOf(verdicts)
    const results = resultsOf(verdicts)
    if (this.session.sendControl({ type: 'announced', id, results })) return
    // The telephone accepts only small frames and announced very many services. The short form has no URLs and no details.
    this.#respondBriefly(id, results)
  }

  /** Closes the tunnel when even the short form is too large. */
  #respondBriefly(id: Announce['id'], results: ReturnType<typeof resultsOf>): void {
    const bare = results.map(({ service, accepted }) => ({ service, accepted, urls: [] }))
    if (this.session.sendControl({ type: 'announced', id, results: bare })) return
    const detail = 'the results of the announcement do not fit in a frame of this telephone'
    this.#log.warn('the results of an announcement could not be sent', { detail })
    this.close('payload_too_large', detail)
  }

  #take(): Announce | undefined {
    const message = this.#waiting
    this.#waiting = undefined
    return message
  }

  #serve(lines: readonly Line[]): void {
    this.#taken = new Set(
      lines.filter(({ health, weight }) => health === 'up' && weight > 0).map(({ service }) => service),
    )
    this.#context.registry.replace(this.tunnelId, lines)
  }

  #lines(): Line[] {
    const lines = new Map<string, Line>()
    for (const { accepted, announcement } of this.#verdicts) {
      const { service } = announcement
      // A service with several mounts is announced several times, but has one line.
      if (!accepted || this.#supersededServices.has(service) || lines.has(service)) continue
      lines.set(service, this.#lineOf(announcement))
    }
    return [...lines.values()]
  }

  #lineOf({ service, health, weight, version, labels, ...more }: ServiceAnnouncement): Line {
    const nowMs = this.#context.clock.wallTime()
    const outage = health === 'down' ? cleanOutage(more.outage, nowMs) : undefined
    return {
      id: lineId(this.tunnelId, service),
      replicaId: this.#context.replicaId,
      tunnelId: this.tunnelId,
      telephone: this.#hello?.name ?? '',
      instance: this.#hello?.instance ?? '',
      ...(this.#generation !== undefined && { generation: packGeneration(this.#generation) }),
      holder: this.#holder,
      service,
      health,
      weight,
      version,
      labels,
      ...(outage !== undefined && { outage }),
      ...(health === 'up' && more.healthCheck === true && { healthCheck: true }),
    }
  }

  /** Removes the lines from the registry. A replica that has picked one may still open a stream, until `withdraw`. */
  hide(): void {
    this.#startDraining()
    this.#context.registry.replace(this.tunnelId, [])
  }

  /** Removes the lines for good. Open streams go on. */
  withdraw(): void {
    this.#startDraining()
    this.#serve([])
  }

  #startDraining(): void {
    if (this.#draining) return
    this.#endStandby()
    this.#draining = true
    this.#context.usage.left(this.#credential)
  }

  // The token

  async #renew(): Promise<void> {
    const { token: reference } = this.#credential
    if (reference.kind === 'outside') {
      this.session.sendControl({ type: 'renewed', detail: RENEWED_ELSEWHERE })
      return
    }
    // One renewal at a time. Its response also serves the requests that arrive meanwhile.
    if (this.#renewing) return
    this.#renewing = true
    const tokenId = reference.id
    try {
      this.#context.usage.reserve(this.#credential, 0)
      const { token, expiresAt, services, mounts, limits } = await this.#context.tokens.renew(tokenId)
      this.#owner.renewed(tokenId, { services, mounts, limits, expiresAtMs: expiresAt.getTime() })
      if (this.session.sendControl({ type: 'renewed', token })) return
      const detail = 'The renewed token does not fit in a frame of this telephone.'
      this.session.sendControl({ type: 'renewed', detail })
    } catch (error) {
      const known = error instanceof VeraError
      if (!known) this.#log.error('token not renewed', { err: error })
      const detail = known ? cutText(error.message) : 'The token could not be renewed.'
      if (this.session.state !== 'closed') this.session.sendControl({ type: 'renewed', detail })
    } finally {
      this.#renewing = false
    }
  }

  #watchExpiry(): void {
    this.#expiryTimer?.cancel()
    const leftMs = this.#credential.expiresAtMs - this.#context.clock.wallTime()
    this.#expiryTimer = this.#context.clock.after(Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS)), () => {
      if (leftMs > LONGEST_TIMER_MS) this.#watchExpiry()
      else void this.#expired()
    })
  }

  /**
   * Closes the tunnel of an expired token, unless the token was renewed over a tunnel of another replica: the database has
   * the newest expiry of our own tokens. While the database is unavailable, the tunnel stays open, so traffic goes on.
   */
  async #expired(): Promise<void> {
    const { token } = this.#credential
    if (token.kind === 'outside') {
      this.close('unauthorized', 'the token has expired')
      return
    }
    try {
      const expiresAt = await this.#context.tokens.expiryOf(token.id)
      if (this.session.state === 'closed') return
      if (expiresAt !== undefined && expiresAt.getTime() > this.#context.clock.wallTime()) {
        this.extend({ ...this.#credential, expiresAtMs: expiresAt.getTime() })
        return
      }
      this.close('unauthorized', 'the token has expired')
    } catch (error) {
      if (this.session.state === 'closed') return
      this.#log.warn('a token expired while the database is unavailable; its tunnel stays open', {
        code: error instanceof VeraError ? error.code : 'internal_error',
      })
      this.#expiryTimer = this.#context.clock.after(EXPIRY_RETRY_MS, () => void this.#expired())
    }
  }
}

function remarksOf(results: readonly AnnouncementDecision[]): string {
  return results.map(({ accepted, detail = '' }) => (accepted ? detail : '')).join('\n')
}

function joined(detail: string | undefined, remark: string): string {
  return detail === undefined ? remark : `${detail} ${remark}`
}
