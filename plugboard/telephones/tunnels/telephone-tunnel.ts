// The life of one tunnel, driven by the events of its session. The session below it carries the streams; the switchboard above
// it accepts the tunnels. The parts: announcement-queue.ts evaluates announcements, announced-services.ts builds the lines and
// the results, announcement-response.ts sends the results, and tunnel-token.ts renews the token and watches its expiry.
//
//   connected ──hello──▶ serving ◀──newer process serves all, or no longer──▶ standby
//                           └──────── peer drains, expired, revoked, lost ───────┴──▶ draining ──▶ closed

import type { Logger } from '@vera-stack/shared/log.ts'
import type { Announce, ControlMessage, Hello } from '@vera-stack/shared/protocol/control/control.ts'
import type { Session, SessionEvents } from '@vera-stack/shared/protocol/session.ts'
import { EchoStream } from '@vera-stack/shared/protocol/streams/echo-stream.ts'
import { REFUSED_STREAM } from '@vera-stack/shared/protocol/streams/refused-stream.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { tokenText } from '../../database/store/values/token-reference.ts'
import type { Line } from '../../registry/line.ts'
import type { TunnelId } from '../../registry/line-ids.ts'
import type { AnnouncementDecision } from '../announcement.ts'
import { type Generation, identityOf, packGeneration } from '../generation.ts'
import { holderDigest } from '../held-budgets.ts'
import type { RemarkedTunnel } from '../lines/shared-services.ts'
import { type MountedTunnel, type RemovedRoutes, reviewDecision } from '../lost-mounts.ts'
import type { InstanceTunnel } from '../telephone-instances.ts'
import type { Credential } from '../tokens/authenticate.ts'
import { AnnouncedServices, type LineOrigin } from './announced-services.ts'
import { type AnnouncementHost, AnnouncementQueue } from './announcement-queue.ts'
import { remarksOf, sendResults } from './announcement-response.ts'
import { HealthProbes } from './health-probes.ts'
import { SupersededProbe } from './superseded-probe.ts'
import type { TunnelContext } from './tunnel-context.ts'
import type { TunnelOfEvent } from './tunnel-history.ts'
import { type Renewal, type TokenHost, TunnelToken } from './tunnel-token.ts'

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

/** `draining`: the tunnel has no lines, and gets no new ones. It stays so until its session closes. */
type ServingState =
  | { readonly kind: 'serving' }
  /** A newer process serves all services of this tunnel. */
  | { readonly kind: 'standby'; readonly probe: SupersededProbe }
  | { readonly kind: 'draining' }

const SERVING: ServingState = { kind: 'serving' }
const DRAINING: ServingState = { kind: 'draining' }
const REPLACED = 'a newer process of this telephone serves all its services'
const TOO_LARGE = 'the results of the announcement do not fit in a frame of this telephone'

export class TelephoneTunnel
  implements SessionEvents, InstanceTunnel, RemarkedTunnel, MountedTunnel, AnnouncementHost, TokenHost
{
  readonly tunnelId: TunnelId
  readonly remoteAddress: string
  readonly connectedAt: Date
  /** Asks the telephone for its health checks. */
  readonly probes: HealthProbes
  /** Time of the last request to move this tunnel to another replica, ms of the clock. */
  moveAskedMs = Number.NEGATIVE_INFINITY
  readonly #context: TunnelContext
  readonly #owner: TelephoneTunnelOwner
  readonly #log: Logger
  readonly #token: TunnelToken
  readonly #announcements: AnnouncementQueue
  readonly #services: AnnouncedServices
  readonly #holder: string
  #session: Session | undefined
  #hello: Hello | undefined
  #generation: Generation | undefined
  #state: ServingState = SERVING
  /** The announcement to which the decisions in `#services` belong. */
  #announcement: Announce | undefined
  /** Services for which a line of this tunnel takes streams. */
  #taken: ReadonlySet<string> = new Set()
  /** The remarks in the last `announced` message. */
  #sentRemarks = ''

  constructor(
    context: TunnelContext,
    owner: TelephoneTunnelOwner,
    tunnel: { readonly id: TunnelId; readonly credential: Credential; readonly remoteAddress: string },
  ) {
    const { shared, tokens, usage, clock } = context
    const { credential } = tunnel
    this.#context = context
    this.#owner = owner
    this.#holder = holderDigest(credential.token)
    this.tunnelId = tunnel.id
    this.remoteAddress = tunnel.remoteAddress
    this.connectedAt = new Date(clock.wallTime())
    this.probes = new HealthProbes(() => this.session, clock)
    const log = context.log.child({ tunnelId: tunnel.id, tokenId: tokenText(credential.token) })
    this.#log = log
    this.#token = new TunnelToken({ credential, host: this, tokens, usage, clock, log })
    this.#announcements = new AnnouncementQueue(this, context, log)
    this.#services = new AnnouncedServices({ shared, clock, origin: () => this.#origin() })
    usage.opened(credential)
  }

  /** Sets the session whose events go to this tunnel. Call it once. */
  attach(session: Session): void {
    this.#session = session
    this.#token.start()
  }

  get credential(): Credential {
    return this.#token.credential
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error('the tunnel has no session yet')
    return this.#session
  }

  /** False when the session has closed. */
  get open(): boolean {
    return this.session.state !== 'closed'
  }

  /** The hello of the telephone; undefined before it arrives. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** True when the tunnel has no lines, and gets no new ones. */
  get draining(): boolean {
    return this.#state.kind === 'draining'
  }

  /** Undefined before the hello. */
  get generation(): Generation | undefined {
    return this.#generation
  }

  get acceptedServices(): ReadonlySet<string> {
    return this.#services.accepted
  }

  get supersededServices(): ReadonlySet<string> {
    return this.#services.superseded
  }

  /** The services of the last announcement that this tunnel serves. */
  get services(): readonly AnnouncementDecision[] {
    return this.#services.results.filter(({ accepted }) => accepted)
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

  // Events of the session

  onReady(peer: Hello): void {
    this.#hello = peer
    const { instances } = this.#context
    this.#generation = instances.generationOf(peer, identityOf(this.credential))
    instances.add(this)
    this.#log.info('telephone connected', {
      telephoneId: peer.name,
      agent: peer.agent,
      remoteAddress: this.remoteAddress,
    })
    this.#context.tunnelHistory.connected(peer.name, this.#ofEvent(peer))
    this.#owner.ready(this)
  }

  onStream(stream: Stream, opening: Opening): StreamEvents {
    if (opening.kind === 'echo') return new EchoStream(stream)
    stream.reset('unknown_kind')
    return REFUSED_STREAM
  }

  onControl(message: ControlMessage): void {
    if (message.type === 'announce') this.#announcements.arrived(message)
    else if (message.type === 'renew') void this.#token.renew()
    else if (message.type === 'probed') this.probes.arrived(message)
  }

  onRoundTrip(sampleMs: number): void {
    this.#context.totals.roundTrips.observe(sampleMs / 1000)
  }

  onPeerDrain(): void {
    this.withdraw()
    this.#owner.peerDrains()
  }

  onClose(error: TunnelError): void {
    this.#token.close()
    this.#announcements.close()
    this.probes.close()
    this.withdraw()
    const { reason, message, detail } = error
    const hello = this.#hello
    if (hello !== undefined)
      this.#context.tunnelHistory.disconnected(hello.name, this.#ofEvent(hello), reason, detail)
    this.#log.info('telephone disconnected', {
      telephoneId: hello?.name,
      code: reason,
      detail: message,
    })
    this.#context.totals.closed.add(reason)
    this.#context.history.tunnelEnded(this.tunnelId, this.acceptedServices, reason, message)
    this.#context.instances.remove(this)
    this.#context.usage.closed(this.credential)
    this.#owner.closed(this)
  }

  #ofEvent({ instance }: Hello): TunnelOfEvent {
    const { tunnelId, remoteAddress } = this
    return { tunnelId, instance, remoteAddress, replicaId: this.#context.replicaId }
  }

  // Announcements

  evaluated(message: Announce, decisions: readonly AnnouncementDecision[]): void {
    this.#announcement = message
    this.#services.replace(decisions)
    this.#recordRefusals(decisions)
    if (!this.draining) {
      this.#services.supersede(this.#context.instances.supersededServices(this))
      if (!this.#serveRest()) return
    }
    this.#respond(message, this.#services.results)
  }

  refused(message: Announce, decisions: readonly AnnouncementDecision[]): void {
    this.#respond(message, decisions)
  }

  failed(): void {
    this.close('internal_error', 'the announcement could not be checked')
  }

  /** Retries the claims that failed while the database was unavailable. */
  retryClaims(): void {
    this.#announcements.retryClaims()
  }

  /** Sends the results again when other telephones have started or stopped serving a service of this tunnel. */
  remarksChanged(): void {
    if (this.draining || this.#announcements.evaluating || this.#announcement === undefined) return
    const { results } = this.#services
    if (remarksOf(results) !== this.#sentRemarks) this.#respond(this.#announcement, results)
  }

  /** Reviews the mounts after a change of routes. Sends the results again when a mount was lost or is back. */
  reviewMounts(removed: RemovedRoutes): boolean {
    if (this.draining) return false
    if (this.#announcements.evaluating) {
      this.#announcements.reviewAfterwards(removed)
      return true
    }
    this.#services.revise(decision => reviewDecision(decision, removed, this.credential, this.#context))
    this.remarksChanged()
    return this.#services.hasLostMount
  }

  #respond(message: Announce, results: readonly AnnouncementDecision[]): void {
    this.#sentRemarks = remarksOf(results)
    if (sendResults(this.session, message, results)) return
    this.#log.warn('the results of an announcement could not be sent', { detail: TOO_LARGE })
    this.close('payload_too_large', TOO_LARGE)
  }

  /** Records refusals of existing services only, because a telephone may announce any name. */
  #recordRefusals(decisions: readonly AnnouncementDecision[]): void {
    const { directory, history } = this.#context
    for (const { accepted, announcement, code, detail } of decisions) {
      const { service } = announcement
      if (accepted || code === undefined || directory.serviceByName(service) === undefined) continue
      history.refused(service, { telephone: this.#hello?.name ?? '', code, detail: detail ?? '' })
    }
  }

  // Lines

  /**
   * Sets the services of this tunnel that a newer process serves. Withdraws their lines, and restores the lines of all
   * other services. Open streams go on. A tunnel without another service stands by: its lines come back as soon as the
   * newer process has no line of them.
   */
  supersede(services: ReadonlySet<string>): void {
    if (this.draining || this.#announcement === undefined) return
    if (!this.#services.supersede(services)) return
    if (this.#serveRest()) this.#respond(this.#announcement, this.#services.results)
  }

  /** Serves the services that no newer process serves, or stands by. Returns false when the tunnel closes instead. */
  #serveRest(): boolean {
    if (!this.#services.allSuperseded) {
      if (this.#endStandby()) this.#state = SERVING
      this.#serve(this.#services.lines())
      return true
    }
    this.#serve([])
    if (this.#state.kind === 'standby') return true
    const { usage, clock } = this.#context
    if (!usage.standBy(this.credential)) {
      this.close('replaced', REPLACED)
      return false
    }
    const probe = new SupersededProbe(this.session, clock, () => this.close('replaced', REPLACED))
    this.#state = { kind: 'standby', probe }
    return true
  }

  /** Returns false when the tunnel does not stand by. */
  #endStandby(): boolean {
    if (this.#state.kind !== 'standby') return false
    this.#state.probe.cancel()
    this.#context.usage.serveAgain(this.credential)
    return true
  }

  #serve(lines: readonly Line[]): void {
    this.#taken = new Set(
      lines.filter(({ health, weight }) => health === 'up' && weight > 0).map(({ service }) => service),
    )
    this.#context.registry.replace(this.tunnelId, lines)
  }

  #origin(): LineOrigin {
    return {
      replicaId: this.#context.replicaId,
      tunnelId: this.tunnelId,
      telephone: this.#hello?.name ?? '',
      instance: this.#hello?.instance ?? '',
      ...(this.#generation !== undefined && { generation: packGeneration(this.#generation) }),
      holder: this.#holder,
    }
  }

  // Drain

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
    if (this.draining) return
    this.#endStandby()
    this.#state = DRAINING
    this.#context.usage.left(this.credential)
  }

  // The token

  /** Applies a renewal of the token over this tunnel or another one. */
  extend(renewal: Renewal): void {
    this.#token.extend(renewal)
  }

  renewed(tokenId: string, renewal: Renewal): void {
    this.#owner.renewed(tokenId, renewal)
  }
}
