// The state of all replicas, each in its own view, and the differences between them. The function that responds to other replicas is
// here too. The list of certificates combines the ones that replicas have loaded with the orders in the database.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { CertificateOrder } from '../../../database/store/store.ts'
import {
  type ClusterStatusBody,
  type RemoteState,
  type ReplicaStateBody,
  remoteStateSchema,
} from '../../bodies/cluster-status.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'
import { certificateList } from './certificate-list.ts'
import { type AnsweredState, disagreementsOf } from './disagreements.ts'

const QUERY = 'state'

export interface ClusterStateOptions {
  readonly own: () => RemoteState
  /** Resolves with the newest orders of certificates; with an empty list while the database is unavailable. */
  readonly orders: () => Promise<readonly CertificateOrder[]>
  readonly clock: Clock
  readonly ask: AskReplicas
}

export class ClusterState {
  readonly #options: ClusterStateOptions

  constructor(options: ClusterStateOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. */
  respond(name: string): object | undefined {
    return name === QUERY ? this.#options.own() : undefined
  }

  async read(): Promise<ClusterStatusBody> {
    const { own: ownState, clock, ask } = this.#options
    const own = ownState()
    const askedMs = clock.wallTime()
    const [{ values, missing }, orders] = await Promise.all([
      askAll(ask, QUERY, {}, remoteStateSchema),
      this.#options.orders(),
    ])
    const answeredMs = clock.wallTime()
    const others: AnsweredState[] = values.map(({ value }) => ({ state: value, askedMs, answeredMs }))
    const states = [own, ...values.map(({ value }) => value)]
    return {
      items: states.map((state, index) => shown(state, index === 0)),
      disagreements: disagreementsOf(own, others),
      certificates: certificateList(states, orders),
      missingReplicas: missing,
    }
  }
}

function shown(
  { wallTime: _time, settings: _settings, certificates: _certificates, ...state }: RemoteState,
  self: boolean,
): ReplicaStateBody {
  return { ...state, self }
}
