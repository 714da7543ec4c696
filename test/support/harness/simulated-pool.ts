// The pool of one service in simulated time: processes with tunnels, a line picker, and requests that arrive at random times.
// A test advances the time by hand, so the result depends on the seed only.

import { asTunnelId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import type { Upstream } from '../../../plugboard/registry/upstream.ts'
import { LinePicker, type PickPolicy } from '../../../plugboard/telephones/lines/line-picker.ts'
import type { Candidate } from '../../../plugboard/telephones/lines/line-pool.ts'
import { ManualClock } from '../manual-clock.ts'
import { seededRandom } from '../seeded-random.ts'
import { makeLine } from './registry-cluster.ts'

/** The response of a simulated process: the time until the head of the response arrives, ms, and its status (default: 200). */
export interface SimulatedResponse {
  readonly ms: number
  readonly status?: number
}

export interface SimulatedProcess {
  readonly name: string
  readonly tunnels?: number
  readonly weight?: number
  readonly respond: (random: () => number) => SimulatedResponse
}

class SimulatedTunnel implements Upstream {
  readonly canOpen = true
  streamCount = 0

  open(): never {
    throw new Error('A simulated tunnel opens no streams.')
  }
}

export class SimulatedPool {
  readonly clock = new ManualClock()
  readonly registry = new Registry()
  readonly random: () => number
  readonly picker: LinePicker
  readonly latenciesMs: number[] = []
  policy: PickPolicy
  readonly #processes = new Map<string, SimulatedProcess>()
  readonly #tunnels = new Map<string, SimulatedTunnel>()
  #taken = new Map<string, number>()

  constructor(policy: PickPolicy, seed = 7) {
    this.policy = policy
    this.random = seededRandom(seed)
    this.picker = new LinePicker({
      registry: this.registry,
      clock: this.clock,
      random: this.random,
      upstreamOf: line => this.#tunnels.get(line.tunnelId),
    })
  }

  /** Connects the process, or changes its announced weight and its behaviour. */
  connect(process: SimulatedProcess): void {
    this.#processes.set(process.name, process)
    const { name, tunnels = 1, weight = 100 } = process
    for (let index = 0; index < tunnels; index += 1) this.#connectTunnel(name, index, weight)
  }

  dropTunnel(name: string, index: number): void {
    this.registry.replace(asTunnelId(`${name}-${index}`), [])
  }

  #connectTunnel(name: string, index: number, weight: number): void {
    const tunnel = `${name}-${index}`
    if (!this.#tunnels.has(tunnel)) this.#tunnels.set(tunnel, new SimulatedTunnel())
    const line = makeLine('r1', tunnel, 'web', { telephone: name, instance: `instance-${name}`, weight })
    this.registry.replace(asTunnelId(tunnel), [line])
  }

  /** Advances the time. Requests arrive independently of each other, on average `perSecond`. */
  run(ms: number, perSecond: number): void {
    const untilMs = this.clock.now() + ms
    for (;;) {
      const gapMs = (-Math.log(1 - this.random()) / perSecond) * 1000
      if (this.clock.now() + gapMs >= untilMs) break
      this.clock.advance(gapMs)
      this.request()
    }
    this.clock.advance(untilMs - this.clock.now())
  }

  /** Sends one request. Returns the name of the process that received it. */
  request(key?: number): string {
    const { policy, picker } = this
    const picked = picker.pick({
      service: 'web',
      policy,
      tried: undefined,
      preferred: undefined,
      client: '',
      key,
    })
    if (typeof picked === 'string') throw new Error(`No line: ${picked}.`)
    const name = picked.line.telephone
    this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1)
    this.#open(picked, this.#processes.get(name) as SimulatedProcess)
    return name
  }

  #open(picked: Candidate, { respond }: SimulatedProcess): void {
    const { ms, status = 200 } = respond(this.random)
    const tunnel = picked.upstream as SimulatedTunnel
    const holder = { client: '', poolSlot: 0 }
    this.picker.acquire(picked, holder)
    tunnel.streamCount += 1
    this.clock.after(ms, () => {
      this.picker.responded(picked, status, ms, this.clock.now())
      this.picker.release(picked, holder)
      tunnel.streamCount -= 1
      this.latenciesMs.push(ms)
    })
  }

  /** Returns the share of each process in the requests since the last call, from 0 to 1. */
  shares(): Record<string, number> {
    const total = [...this.#taken.values()].reduce((sum, count) => sum + count, 0)
    const shares = Object.fromEntries(
      [...this.#processes.keys()].map(name => [name, (this.#taken.get(name) ?? 0) / total]),
    )
    this.#taken = new Map()
    return shares
  }
}
