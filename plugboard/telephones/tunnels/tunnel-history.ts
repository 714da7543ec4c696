// Records the last starts and ends of the tunnels of each telephone on this replica, with the reason of each end. Telephones choose their
// names, so the number of names is bounded: the name with the oldest last event is evicted first.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { REASONS, type Reason } from '@vera-stack/shared/protocol/wire/reason.ts'
import { z } from 'zod'

/** Events of one name. */
export const MAX_EVENTS = 100
const MAX_NAMES = 1000

export const tunnelEventSchema = z.strictObject({
  at: z.iso.datetime().meta({ example: '2026-11-20T12:00:00.000Z' }),
  kind: z.enum(['connected', 'disconnected']),
  tunnelId: z.string(),
  instance: z.string().meta({ description: 'The id of the process. Each start has a new one.' }),
  replicaId: z.string(),
  remoteAddress: z.string(),
  reason: z
    .string()
    .nullable()
    .meta({ description: 'The code of the end. null: the tunnel connected.', example: 'session_lost' }),
  detail: z.string().nullable().meta({ description: 'The reason in words. null: the tunnel connected.' }),
})
export type TunnelEvent = z.infer<typeof tunnelEventSchema>

/** The tunnel of an event. */
export type TunnelOfEvent = Pick<TunnelEvent, 'tunnelId' | 'instance' | 'replicaId' | 'remoteAddress'>

interface NameHistory {
  /** The oldest event first. */
  readonly events: TunnelEvent[]
  /** Ends by reason, also of events that were evicted. */
  readonly ends: Map<Reason, number>
}

export class TunnelHistory {
  readonly #clock: Clock
  /** The name with the oldest last event first. */
  readonly #names = new Map<string, NameHistory>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  connected(name: string, tunnel: TunnelOfEvent): void {
    this.#add(name, { ...tunnel, kind: 'connected', reason: null, detail: null })
  }

  /** `detail`: what the end that closed the tunnel sent; may be empty. */
  disconnected(name: string, tunnel: TunnelOfEvent, reason: Reason, detail: string): void {
    const { ends } = this.#add(name, {
      ...tunnel,
      kind: 'disconnected',
      reason,
      detail: detail === '' ? REASONS[reason].meaning : detail,
    })
    ends.set(reason, (ends.get(reason) ?? 0) + 1)
  }

  /** Returns the events of a telephone, the newest first. */
  eventsOf(name: string): TunnelEvent[] {
    return (this.#names.get(name)?.events ?? []).toReversed()
  }

  /** Returns the ends of tunnels by name and reason, since the start of this replica. Names without an end are left out. */
  ends(): Record<string, Record<string, number>> {
    return Object.fromEntries(
      [...this.#names].flatMap(([name, { ends }]) =>
        ends.size === 0 ? [] : [[name, Object.fromEntries(ends)]],
      ),
    )
  }

  #add(name: string, event: Omit<TunnelEvent, 'at'>): NameHistory {
    const history: NameHistory = this.#names.get(name) ?? { events: [], ends: new Map() }
    this.#names.delete(name)
    this.#names.set(name, history)
    history.events.push({ at: new Date(this.#clock.wallTime()).toISOString(), ...event })
    if (history.events.length > MAX_EVENTS) history.events.shift()
    if (this.#names.size > MAX_NAMES) {
      const [oldest] = this.#names.keys()
      if (oldest !== undefined) this.#names.delete(oldest)
    }
    return history
  }
}
