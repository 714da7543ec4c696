// Kills a Telephone and starts it again; and stops a Telephone for 15 s. When its service has other Telephones, they serve all
// requests, except partly sent responses. When it is the only Telephone, the service is unavailable until it returns.

import { SERVICES } from '../cluster/cluster.ts'
import type { TelephonePlace } from '../cluster/telephone-place.ts'
import { type Incident, type Judged, neverStale, overlaps, wasCutBy, wasLeftUncertain } from '../incident.ts'
import type { Scene } from '../scene.ts'
import type { WindowName } from '../windows.ts'
import { untilLines } from './until-lines-gone.ts'

const FROZEN_MS = 15_000
/** The time after which each stream must have ended. The windows check the promised time. */
const KILLED_AFTERMATH_MS = 3000
const FROZEN_AFTERMATH_MS = 10_500
const TUNNELS = 2

/** The incident of both kinds. */
class TelephoneLost implements Incident {
  readonly name: string
  readonly fromMs: number
  readonly mayBeStale = neverStale
  readonly #scene: Scene
  readonly #telephone: TelephonePlace
  readonly #aftermathMs: number
  readonly #streams: WindowName
  #untilMs = Number.POSITIVE_INFINITY
  #lastFailureMs = 0

  constructor(scene: Scene, telephone: TelephonePlace, what: 'SIGKILL' | 'SIGSTOP') {
    this.name = `${what} telephone ${telephone.name}`
    this.fromMs = scene.now()
    this.#scene = scene
    this.#telephone = telephone
    this.#aftermathMs = what === 'SIGKILL' ? KILLED_AFTERMATH_MS : FROZEN_AFTERMATH_MS
    this.#streams = what === 'SIGKILL' ? 'telephoneKilledStreams' : 'telephoneFrozenStreams'
  }

  /** Ends the incident: all replicas list the lines of the Telephone again. */
  over(): void {
    this.#untilMs = this.#scene.now()
  }

  excuse(failure: Judged): string | undefined {
    const { service } = this.#telephone
    if (!failure.destinations.has(service)) return undefined
    if (wasCutBy(failure, this.fromMs, this.#aftermathMs)) {
      this.#scene.windows.add(this.#streams, failure.asked.endedAtMs - this.fromMs)
      return 'a partial response of a Telephone that was lost'
    }
    if (SERVICES[service] === 1 && overlaps(failure, this.fromMs, this.#untilMs)) {
      this.#lastFailureMs = Math.max(this.#lastFailureMs, failure.asked.endedAtMs - this.fromMs)
      return 'the only Telephone of the service was stopped'
    }
    return wasLeftUncertain(failure, this.fromMs, this.fromMs + this.#aftermathMs)
      ? 'not repeatable, at a Telephone that was lost'
      : undefined
  }

  concluded(): void {
    if (this.#lastFailureMs > 0) this.#scene.windows.add('onlyTelephoneAway', this.#lastFailureMs)
  }
}

export async function telephoneKilled(scene: Scene): Promise<void> {
  const { cluster, windows } = scene
  const telephone = scene.anyTelephone()
  const all = (SERVICES[telephone.service] ?? 0) * TUNNELS
  const incident = new TelephoneLost(scene, telephone, 'SIGKILL')
  scene.begins(incident)
  await Promise.all([
    telephone.process.child.stop('SIGKILL'),
    untilLines(scene, telephone.service, all - TUNNELS).then(() =>
      windows.add('telephoneKilledLine', scene.now() - incident.fromMs),
    ),
  ])
  await scene.pause(100, 1500)
  const startedAtMs = scene.now()
  cluster.launch(telephone)
  await untilLines(scene, telephone.service, all)
  windows.add('lineAppeared', scene.now() - startedAtMs)
  incident.over()
  await cluster.settled()
}

export async function telephoneFrozen(scene: Scene): Promise<void> {
  const { cluster, windows } = scene
  const telephone = scene.anyTelephone()
  const all = (SERVICES[telephone.service] ?? 0) * TUNNELS
  const { child } = telephone.process
  const incident = new TelephoneLost(scene, telephone, 'SIGSTOP')
  scene.begins(incident)
  child.signal('SIGSTOP')
  try {
    const frozen = scene.pause(FROZEN_MS, FROZEN_MS)
    await untilLines(scene, telephone.service, all - TUNNELS)
    windows.add('telephoneFrozenLine', scene.now() - incident.fromMs)
    await frozen
  } finally {
    child.signal('SIGCONT')
  }
  await untilLines(scene, telephone.service, all)
  incident.over()
  await cluster.settled()
}
