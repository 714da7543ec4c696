// The tools of an incident: the cluster, the balancer of the client, the judgement, the clock and the random numbers.

import { type Random, randomInteger } from '../support/seeded-random.ts'
import type { RouteEditor } from './client/route-editor.ts'
import type { Balancer } from './cluster/balancer.ts'
import type { ChaosCluster } from './cluster/cluster.ts'
import type { Replica } from './cluster/replica.ts'
import type { TelephonePlace } from './cluster/telephone-place.ts'
import type { Incident } from './incident.ts'
import type { Judgement } from './judgement.ts'
import type { RunClock } from './run-clock.ts'
import type { Windows } from './windows.ts'

export interface SceneParts {
  readonly cluster: ChaosCluster
  readonly balancer: Balancer
  readonly judgement: Judgement
  readonly windows: Windows
  readonly editor: RouteEditor
  readonly random: Random
  readonly clock: RunClock
  readonly say: (text: string) => void
}

export class Scene implements SceneParts {
  readonly cluster: ChaosCluster
  readonly balancer: Balancer
  readonly judgement: Judgement
  readonly windows: Windows
  readonly editor: RouteEditor
  readonly random: Random
  readonly clock: RunClock
  readonly say: (text: string) => void
  readonly #unwell: Set<Replica>

  /** `unwell`: replicas that get no edits, and at which edits need not become live. */
  constructor(parts: SceneParts, unwell: Set<Replica>) {
    this.cluster = parts.cluster
    this.balancer = parts.balancer
    this.judgement = parts.judgement
    this.windows = parts.windows
    this.editor = parts.editor
    this.random = parts.random
    this.clock = parts.clock
    this.say = parts.say
    this.#unwell = unwell
  }

  now(): number {
    return this.clock.now()
  }

  anyReplica(): Replica {
    return this.#oneOf(this.cluster.replicas)
  }

  anyTelephone(): TelephonePlace {
    return this.#oneOf(this.cluster.telephones)
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const keyed = items.map(item => ({ item, key: this.random() }))
    return keyed.sort((left, right) => left.key - right.key).map(({ item }) => item)
  }

  begins(incident: Incident): void {
    this.say(incident.name)
    this.judgement.begins(incident)
  }

  setWell(replica: Replica, well: boolean): void {
    if (well) this.#unwell.delete(replica)
    else this.#unwell.add(replica)
  }

  /** Waits for a random time, ms. The time is a part of the schedule. */
  pause(minMs: number, maxMs: number): Promise<void> {
    return new Promise(resolve => setTimeout(resolve, randomInteger(this.random, minMs, maxMs)))
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    return items[randomInteger(this.random, 0, items.length - 1)]!
  }
}
