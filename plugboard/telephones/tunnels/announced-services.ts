// The services of one tunnel: the decisions on its last announcement, and the services that a newer process of the telephone
// serves instead. From both follow the lines of the tunnel and the results that the telephone gets. It changes no registry and
// sends no message.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { ServiceAnnouncement } from '@vera-stack/shared/protocol/control/control.ts'
import type { Line } from '../../registry/line.ts'
import { lineId } from '../../registry/line-ids.ts'
import { cleanOutage } from '../../registry/line-outage.ts'
import type { AnnouncementDecision } from '../announcement.ts'
import type { SharedServices } from '../lines/shared-services.ts'

/** The fields that all lines of a tunnel have in common. */
export type LineOrigin = Pick<
  Line,
  'replicaId' | 'tunnelId' | 'telephone' | 'instance' | 'generation' | 'holder'
>

export interface AnnouncedServicesOptions {
  readonly shared: Pick<SharedServices, 'remarkFor'>
  readonly clock: Pick<Clock, 'wallTime'>
  /** Called when a line is built. */
  readonly origin: () => LineOrigin
}

const SUPERSEDED =
  'A newer process of this telephone serves it. Stop one of the two, or give them different names (--name).'
const NO_SERVICES: ReadonlySet<string> = new Set()

export class AnnouncedServices {
  readonly #options: AnnouncedServicesOptions
  #decisions: readonly AnnouncementDecision[] = []
  #accepted = NO_SERVICES
  #superseded = NO_SERVICES

  constructor(options: AnnouncedServicesOptions) {
    this.#options = options
  }

  /** The accepted services of the last announcement, including the ones that a newer process serves. */
  get accepted(): ReadonlySet<string> {
    return this.#accepted
  }

  /** The accepted services that a newer process serves. */
  get superseded(): ReadonlySet<string> {
    return this.#superseded
  }

  /** True when a newer process serves all accepted services of this tunnel. */
  get allSuperseded(): boolean {
    return this.#superseded.size > 0 && this.#superseded.size === this.#accepted.size
  }

  get hasLostMount(): boolean {
    return this.#decisions.some(({ lostMount }) => lostMount !== undefined)
  }

  /** Replaces the decisions by the ones on a new announcement. */
  replace(decisions: readonly AnnouncementDecision[]): void {
    this.#decisions = decisions
    this.#accepted = new Set(
      decisions.flatMap(({ accepted, announcement }) => (accepted ? [announcement.service] : [])),
    )
  }

  /** Changes each decision, for example after a change of routes. The accepted services stay the same. */
  revise(change: (decision: AnnouncementDecision) => AnnouncementDecision): void {
    this.#decisions = this.#decisions.map(change)
  }

  /** Returns false when the set is the same as before. */
  supersede(services: ReadonlySet<string>): boolean {
    const before = this.#superseded
    if (services.size === before.size && [...services].every(service => before.has(service))) return false
    this.#superseded = services
    return true
  }

  /** The results for the telephone. A service that a newer process serves counts as refused. */
  get results(): readonly AnnouncementDecision[] {
    return this.#decisions.map(decision => {
      if (!decision.accepted) return decision
      if (this.#superseded.has(decision.announcement.service)) {
        return { ...decision, accepted: false, detail: SUPERSEDED, urls: [] }
      }
      const remark = this.#options.shared.remarkFor(this.#lineOf(decision.announcement))
      return remark === undefined ? decision : { ...decision, detail: joined(decision.detail, remark) }
    })
  }

  /** Builds one line for each accepted service that no newer process serves. */
  lines(): Line[] {
    const lines = new Map<string, Line>()
    for (const { accepted, announcement } of this.#decisions) {
      const { service } = announcement
      // A service with several mounts is announced several times, but has one line.
      if (!accepted || this.#superseded.has(service) || lines.has(service)) continue
      lines.set(service, this.#lineOf(announcement))
    }
    return [...lines.values()]
  }

  #lineOf({ service, health, weight, version, labels, ...more }: ServiceAnnouncement): Line {
    const { clock, origin } = this.#options
    const outage = health === 'down' ? cleanOutage(more.outage, clock.wallTime()) : undefined
    const from = origin()
    return {
      id: lineId(from.tunnelId, service),
      ...from,
      service,
      health,
      weight,
      version,
      labels,
      ...(outage !== undefined && { outage }),
      ...(health === 'up' && more.healthCheck === true && { healthCheck: true }),
    }
  }
}

function joined(detail: string | undefined, remark: string): string {
  return detail === undefined ? remark : `${detail} ${remark}`
}
