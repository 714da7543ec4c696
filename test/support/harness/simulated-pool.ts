// The pool of one service in simulated time: processes with tunnels, a line picker, and requests that arrive at random times.
// A test advances the time by hand, so the result depends on the seed only.

import { type Logger, silentLogger } from '@vera-stack/shared/log.ts'
import type { Line } from '../../../plugboard/registry/line.ts'
import { asTunnelId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import type { Upstream } from '../../../plugboard/registry/upstream.ts'
import { DEFAULT_SERVICE_POLICY } from '../../../plugboard/routes/options/service-policy.ts'
import { type AttemptFailure, LinePicker } from '../../../plugboard/telephones/picker/line-picker.ts'
import type { NoLine } from '../../../plugboard/telephones/picker/no-line.ts'
import type { PickPolicy } from '../../../plugboard/telephones/picker/pick-request.ts'
import type {
  Candidate,
  PooledProcess,
  ProcessSetting,
} from '../../../plugboard/telephones/pools/line-pool.ts'
import type { OverrideSource } from '../../../plugboard/telephones/pools/process-overrides.ts'
import type { SubsetChoice } from '../../../plugboard/telephones/subsets/subset-choice.ts'
import { ManualClock } from '../manual-clock.ts'
import { seededRandom } from '../seeded-random.ts'
import { makeLine } from './registry-cluster.ts'

/** The response of a simulated process: the time until the head of the response arrives, ms, and its status (default: 200). */
export interface SimulatedResponse {
  readonly ms: number
  readonly status?: number
  /** Set: the attempt fails instead, and the request is repeated on another process. */
  readonly failure?: AttemptFailure
}

/** Attempts after the first one. */
const RETRIES = 2

export interface SimulatedProcess {
  readonly name: string
  readonly tunnels?: number
  readonly weight?: number
  readonly version?: string
  readonly respond: (random: () => number) => SimulatedResponse
}

/** Returns the processes of all services of the picker. */
export function processesIn(picker: LinePicker): readonly PooledProcess[] {
  return [...picker.pools].flatMap(({ processes }) => processes)
}

class SimulatedTunnel implements Upstream {
  readonly canOpen = true
  streamCount = 0

  open(): never {
    throw new Error('A simulated tunnel opens no streams.')
  }
}

/** What operators have set for the processes of all services, by the name of the process. */
class SettingTable implements OverrideSource {
  readonly #settings = new Map<string, ProcessSetting>()
  readonly #listeners = new Set<(service: string, instance: string) => void>()

  of(_service: string, instance: string): ProcessSetting | undefined {
    return this.#settings.get(instance)
  }

  subscribe(listener: (service: string, instance: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Undefined: deletes the override. */
  set(name: string, setting: Partial<ProcessSetting> | undefined): void {
    const instance = `instance-${name}`
    if (setting === undefined) this.#settings.delete(instance)
    else this.#settings.set(instance, { weight: null, ejectedUntilMs: null, ...setting })
    for (const listener of this.#listeners) listener('web', instance)
  }
}

export class SimulatedPool {
  readonly clock = new ManualClock()
  readonly registry = new Registry()
  readonly overrides = new SettingTable()
  readonly random: () => number
  readonly picker: LinePicker
  readonly latenciesMs: number[] = []
  policy: PickPolicy
  /** Chooses the subset of a request; undefined: the service has no subsets. */
  subsetOf: (() => SubsetChoice) | undefined
  /** Requests that ended with a status of 500 or more, or without a response. */
  failures = 0
  requests = 0
  readonly #processes = new Map<string, SimulatedProcess>()
  readonly #tunnels = new Map<string, SimulatedTunnel>()
  #taken = new Map<string, number>()

  constructor(policy: Partial<PickPolicy>, seed = 7, log: Logger = silentLogger) {
    this.policy = { ...DEFAULT_SERVICE_POLICY, ...policy }
    this.random = seededRandom(seed)
    this.picker = new LinePicker({
      registry: this.registry,
      clock: this.clock,
      log,
      random: this.random,
      overrides: this.overrides,
      upstreamOf: line => this.#tunnels.get(line.tunnelId),
    })
  }

  /** Connects the process, or changes its announced weight and its behaviour. */
  connect(process: SimulatedProcess): void {
    this.#processes.set(process.name, process)
    const { name, tunnels = 1, weight = 100, version = '' } = process
    for (let index = 0; index < tunnels; index += 1) this.#connectTunnel(name, index, { weight, version })
  }

  /** Announces changed values on the first tunnel of the process. */
  announce(name: string, more: Partial<Line>): void {
    const line = makeLine('r1', `${name}-0`, 'web', {
      telephone: name,
      instance: `instance-${name}`,
      ...more,
    })
    this.registry.replace(line.tunnelId, [line])
  }

  dropTunnel(name: string, index: number): void {
    this.registry.replace(asTunnelId(`${name}-${index}`), [])
  }

  #connectTunnel(name: string, index: number, announced: Partial<Line>): void {
    const tunnel = `${name}-${index}`
    if (!this.#tunnels.has(tunnel)) this.#tunnels.set(tunnel, new SimulatedTunnel())
    const identity = { telephone: name, instance: `instance-${name}` }
    const line = makeLine('r1', tunnel, 'web', { ...identity, ...announced })
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

  /** Sends one request. Returns the name of the process that received its first attempt. */
  request(key?: number): string {
    this.requests += 1
    const first = this.#pick(undefined, key)
    if (typeof first === 'string') throw new Error(`No line: ${first}.`)
    this.#attempt(first, [], key)
    return first.line.telephone
  }

  #pick(tried: readonly Candidate[] | undefined, key: number | undefined): Candidate | NoLine {
    const { policy, picker } = this
    const subset = this.subsetOf?.()
    return picker.pick({ service: 'web', policy, tried, preferred: undefined, client: '', key, subset })
  }

  #attempt(picked: Candidate, tried: readonly Candidate[], key: number | undefined): void {
    const { picker, clock } = this
    const name = picked.line.telephone
    this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1)
    const { ms, status = 200, failure } = (this.#processes.get(name) as SimulatedProcess).respond(this.random)
    const tunnel = picked.upstream as SimulatedTunnel
    const holder = { client: '', poolSlot: 0 }
    picker.acquire(picked, holder)
    tunnel.streamCount += 1
    clock.after(ms, () => {
      tunnel.streamCount -= 1
      if (failure === undefined) picker.responded(picked, status, ms, clock.now())
      else picker.failed(picked, failure, ms, clock.now())
      picker.release(picked, holder)
      if (failure !== undefined) this.#retry([...tried, picked], key)
      else if (status >= 500) this.failures += 1
      else this.latenciesMs.push(ms)
    })
  }

  #retry(tried: readonly Candidate[], key: number | undefined): void {
    const next = tried.length > RETRIES ? 'exhausted' : this.#pick(tried, key)
    if (typeof next === 'string') this.failures += 1
    else this.#attempt(next, tried, key)
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
