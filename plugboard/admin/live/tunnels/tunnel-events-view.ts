// The history of tunnels on all replicas, and the disconnect of a telephone on all of them. Only the replica of a tunnel has its history
// and can close it, so this replica asks the others over their links. The functions that respond to other replicas are here too.

import { z } from 'zod'
import type { TunnelEvent } from '../../../telephones/tunnels/tunnel-history.ts'
import {
  type DisconnectedBody,
  MAX_SHOWN_EVENTS,
  type RemoteTunnelHistory,
  remoteTunnelHistorySchema,
  type TunnelHistoryBody,
} from '../../bodies/tunnel-events.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'

const HISTORY = 'tunnelHistory'
const DISCONNECT = 'disconnectTelephone'

const historyParams = z.object({ name: z.string().max(255).optional() })
const disconnectParams = z.object({ name: z.string().max(255), detail: z.string().max(500) })
const closedSchema = z.object({ tunnels: z.int().min(0) })

export interface TunnelEventsOptions {
  /** Returns the events of a telephone on this replica, the newest first. */
  readonly eventsOf: (name: string) => readonly TunnelEvent[]
  /** Returns the ends of tunnels on this replica, by name and reason. */
  readonly ends: () => RemoteTunnelHistory['ends']
  /** Closes the tunnels of a telephone on this replica, and returns their number. */
  readonly disconnect: (name: string, detail: string) => number
  readonly ask: AskReplicas
}

export class TunnelEventsView {
  readonly #options: TunnelEventsOptions

  constructor(options: TunnelEventsOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(query: string, params: unknown): object | undefined {
    if (query === HISTORY) return this.#own(historyParams.parse(params).name)
    if (query !== DISCONNECT) return undefined
    const { name, detail } = disconnectParams.parse(params)
    return { tunnels: this.#options.disconnect(name, detail) }
  }

  /** `name`: the telephone whose events are returned; undefined: none. */
  async history(name: string | undefined): Promise<TunnelHistoryBody> {
    const { values, missing } = await askAll(this.#options.ask, HISTORY, { name }, remoteTunnelHistorySchema)
    const all = [this.#own(name), ...values.map(({ value }) => value)]
    return {
      items: all
        .flatMap(({ items }) => items)
        .sort((left, right) => right.at.localeCompare(left.at))
        .slice(0, MAX_SHOWN_EVENTS),
      ends: sumOf(all.map(({ ends }) => ends)),
      missingReplicas: missing,
    }
  }

  /** Closes the tunnels on all replicas. `detail`: the reason that the telephone logs. */
  async disconnect(name: string, detail: string): Promise<DisconnectedBody> {
    const own = this.#options.disconnect(name, detail)
    const { values, missing } = await askAll(this.#options.ask, DISCONNECT, { name, detail }, closedSchema)
    return {
      tunnels: values.reduce((sum, { value }) => sum + value.tunnels, own),
      missingReplicas: missing,
    }
  }

  #own(name: string | undefined): RemoteTunnelHistory {
    const { eventsOf, ends } = this.#options
    return {
      items: name === undefined ? [] : eventsOf(name).slice(0, MAX_SHOWN_EVENTS),
      ends: ends(),
    }
  }
}

/** Names and reasons come from other machines, so the sums are kept in maps. */
function sumOf(all: readonly RemoteTunnelHistory['ends'][]): RemoteTunnelHistory['ends'] {
  const names = new Map<string, Map<string, number>>()
  for (const [name, reasons] of all.flatMap(ends => Object.entries(ends))) {
    const sums = names.get(name) ?? new Map<string, number>()
    names.set(name, sums)
    for (const [reason, count] of Object.entries(reasons)) sums.set(reason, (sums.get(reason) ?? 0) + count)
  }
  return Object.fromEntries([...names].map(([name, sums]) => [name, Object.fromEntries(sums)]))
}
