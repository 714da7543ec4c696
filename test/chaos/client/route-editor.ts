// Edits routes through the admin API of a healthy replica, one edit at a time for each host: add, move, delete. After each
// acknowledgement it polls every replica until the edit is live there. When an edit has no response, its result is read back
// before the next edit of that host.

import type { Random } from '../../support/seeded-random.ts'
import { randomInteger } from '../../support/seeded-random.ts'
import { pause } from '../cluster/balancer.ts'
import { type ChaosCluster, SERVICES } from '../cluster/cluster.ts'
import type { Replica } from '../cluster/replica.ts'
import type { RunClock } from '../run-clock.ts'
import type { Windows } from '../windows.ts'
import { type Plan, sendPlanned } from './request.ts'
import type { Destination, RouteHistory } from './route-history.ts'

const EVERY_MS = 400
const HOSTS = 8
/** The time limit for an edit to become live on a replica, ms. */
const LIVE_PATIENCE_MS = 15_000
/** The time limit of a probe. A slower probe has reached a silent Telephone, and does not show the state of the route, ms. */
const PROBE_MS = 1000

export interface RouteEditorOptions {
  readonly cluster: ChaosCluster
  readonly routes: RouteHistory
  readonly windows: Windows
  readonly random: Random
  readonly clock: RunClock
  /** Returns the healthy replicas: they accept edits, and each edit must become live on them in time. */
  readonly well: () => readonly Replica[]
  /** True when the replica may have missed edits since then. */
  readonly mayBeStale: (replica: string, sinceMs: number, nowMs: number) => boolean
}

export interface EditReport {
  readonly acknowledged: number
  readonly unavailable: number
  readonly unanswered: number
}

export class RouteEditor {
  readonly #options: RouteEditorOptions
  readonly #ids = new Map<string, string>()
  readonly #stopping = new AbortController()
  readonly #busy = new Set<string>()
  readonly #work = new Set<Promise<void>>()
  readonly #problems: string[] = []
  #loop: Promise<void> | undefined
  #probes = 0
  #acknowledged = 0
  #unavailable = 0
  #unanswered = 0
  #lastUnavailableAtMs = 0

  constructor(options: RouteEditorOptions) {
    this.#options = options
  }

  get report(): EditReport {
    const [acknowledged, unavailable, unanswered] = [this.#acknowledged, this.#unavailable, this.#unanswered]
    return { acknowledged, unavailable, unanswered }
  }

  /** Unexpected responses of the admin API. */
  get problems(): readonly string[] {
    return this.#problems
  }

  /** The time of the last edit that was rejected because the database was unavailable. */
  get lastUnavailableAtMs(): number {
    return this.#lastUnavailableAtMs
  }

  /** Creates the first routes. The `fixed` ones are never edited. */
  async begin(fixed: Readonly<Record<string, string>>): Promise<void> {
    const { cluster, routes } = this.#options
    const first = cluster.replicas[0]!
    for (const [host, service] of Object.entries(fixed)) {
      await first.process.addRoute(host, service)
      routes.begin(host, service)
    }
    const services = Object.keys(SERVICES)
    for (let number = 0; number < HOSTS; number += 1) {
      const host = `edited-${number}.test`
      const service = services[number % services.length]!
      this.#ids.set(host, (await first.process.addRoute(host, service)).id)
      routes.begin(host, service)
    }
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop
    await Promise.all(this.#work)
  }

  /**
   * Makes one edit and waits until it is live on all healthy replicas. Resolves with undefined when it was not acknowledged.
   */
  async editNow(): Promise<number | undefined> {
    const { random } = this.#options
    const free = [...this.#ids.keys()].filter(host => !this.#busy.has(host))
    const host = free[randomInteger(random, 0, free.length - 1)]
    if (host === undefined) return undefined
    this.#busy.add(host)
    try {
      return await this.#edit(host)
    } finally {
      this.#busy.delete(host)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const work = this.editNow()
        .then(() => undefined)
        .catch((error: unknown) => void this.#problems.push(String(error)))
        .finally(() => this.#work.delete(work))
      this.#work.add(work)
      await pause(EVERY_MS, signal)
    }
  }

  async #edit(host: string): Promise<number | undefined> {
    const { well, random, routes } = this.#options
    const usable = well()
    const replica = usable[randomInteger(random, 0, usable.length - 1)]
    if (replica === undefined) return undefined
    const current = routes.current(host)
    if (current === undefined) {
      await this.#readBack(host, replica)
      return undefined
    }
    const others = [...Object.keys(SERVICES), null].filter(service => service !== current)
    const to = others[randomInteger(random, 0, others.length - 1)] as Destination
    const settle = routes.edit(host, to, this.#options.clock.now())
    const response = await this.#send(replica, host, to, current).catch(() => undefined)
    if (response === undefined) {
      this.#unanswered += 1
      settle(undefined)
      return undefined
    }
    if (response.status === 503) {
      // The edit was rejected, or the database stopped during the edit. In the second case the result is unknown.
      this.#unavailable += 1
      this.#lastUnavailableAtMs = this.#options.clock.now()
      settle(undefined)
      return undefined
    }
    if (response.status >= 300) {
      this.#problems.push(`edit of ${host} to ${to}: ${response.status} ${response.text}`)
      settle(undefined)
      return undefined
    }
    const acknowledgedAtMs = this.#options.clock.now()
    settle(acknowledgedAtMs)
    this.#acknowledged += 1
    if (to !== null && current === null) this.#ids.set(host, (JSON.parse(response.text) as { id: string }).id)
    await Promise.all(well().map(each => this.#untilLive(each, host, to, acknowledgedAtMs)))
    return acknowledgedAtMs
  }

  #send(replica: Replica, host: string, to: Destination, current: Destination) {
    const any = { 'if-match': '*' }
    const path = `/v1/routes/${this.#ids.get(host)}`
    if (current === null) return replica.process.api('POST', '/v1/routes', { mount: host, service: to })
    if (to === null) return replica.process.api('DELETE', path, undefined, any)
    return replica.process.api('PATCH', path, { service: to }, any)
  }

  async #readBack(host: string, replica: Replica): Promise<void> {
    const { routes } = this.#options
    const response = await replica.process.api('GET', '/v1/routes?limit=500').catch(() => undefined)
    if (response?.status !== 200) return
    const { items } = JSON.parse(response.text) as { items: { id: string; host: string; service: string }[] }
    const row = items.find(each => each.host === host)
    if (row !== undefined) this.#ids.set(host, row.id)
    const nowMs = this.#options.clock.now()
    routes.edit(host, row?.service ?? null, nowMs)(nowMs)
  }

  /** Polls the replica until it responds by the new route, or the host was edited again. */
  async #untilLive(replica: Replica, host: string, to: Destination, sinceMs: number): Promise<void> {
    const { routes, windows, well, mayBeStale } = this.#options
    while (this.#options.clock.now() - sinceMs < LIVE_PATIENCE_MS) {
      this.#probes += 1
      const plan: Plan = {
        method: 'GET',
        host,
        nonce: `probe-${this.#probes}`,
        upload: Buffer.alloc(0),
        bytes: 10,
        pieces: 1,
        everyMs: 0,
        withLength: true,
      }
      const askedAtMs = this.#options.clock.now()
      const { outcome } = await sendPlanned(plan, replica.port, PROBE_MS)
      const live =
        outcome.kind === 'answered'
          ? outcome.service === to
          : outcome.kind === 'problem' && (outcome.code === 'route_not_found') === (to === null)
      // An incident at the replica, or a later edit, ends the check.
      if (!well().includes(replica) || routes.current(host) !== to || outcome.kind === 'silent') return
      if (mayBeStale(replica.name, sinceMs, this.#options.clock.now())) {
        if (live) return
        await pause(5, this.#stopping.signal)
        continue
      }
      if (live) {
        const tookMs = Math.max(0, askedAtMs - sinceMs)
        windows.add('routeLive', tookMs)
        windows.add('routeLiveAtMost', tookMs)
        return
      }
      await pause(5, this.#stopping.signal)
    }
    this.#problems.push(`edit of ${host} to ${to} did not arrive at ${replica.name}`)
  }
}
