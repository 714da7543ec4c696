// The measured times: samples under a name, with a bound for each. The run prints them as a table at its end. A sample above a
// bound fails the run.

/** Tolerance: each sample contains the polls of the test and the delays of two busy cores, ms. */
const MEASUREMENT_MS = 300

export interface WindowKind {
  readonly name: string
  /** Undefined: the time is printed and has no bound. */
  readonly boundMs?: number
  /** The share of samples that must be within the bound. Default: all samples. */
  readonly quantile?: number
  /** True when the bound is only printed, because on a busy machine the scheduler decides the quantile. */
  readonly soft?: boolean
}

export const WINDOWS = {
  replicaKilledBalancer: { name: 'replica killed → last request that the balancer still sent there' },
  replicaKilledStreams: { name: 'replica killed → its streams broken off', boundMs: 1000 },
  replicaKilledLines: { name: 'replica killed → its lines gone everywhere', boundMs: 3000 },
  replicaFrozenLines: { name: 'replica frozen → its lines gone everywhere', boundMs: 10_000 },
  replicaFrozenStreams: { name: 'replica frozen → streams through it broken off', boundMs: 10_000 },
  replicaReturned: { name: 'replica back (start, or thawed) → linked, in step, balanced to' },
  telephoneKilledStreams: { name: 'telephone killed → its streams broken off', boundMs: 1000 },
  telephoneKilledLine: { name: 'telephone killed → its line gone everywhere', boundMs: 2000 },
  telephoneFrozenLine: { name: 'telephone frozen → its line gone everywhere', boundMs: 10_000 },
  telephoneFrozenStreams: { name: 'telephone frozen → its streams broken off', boundMs: 10_000 },
  lineAppeared: { name: 'telephone started → its lines everywhere (process start included)' },
  onlyTelephoneAway: { name: 'only telephone lost → last failed request of its service' },
  linkSilent: { name: 'link silent → both ends have closed it', boundMs: 10_000 },
  linkSlowest: { name: 'link silent: slowest response meanwhile', boundMs: 10_000 },
  linkHealed: { name: 'link or partition healed → linked and in step' },
  partitionCurrent: { name: 'partition healed → missed route changes live', boundMs: 5000 },
  postgresBack: { name: 'Postgres back → first edit live everywhere', boundMs: 5000 },
  rollingReplica: { name: 'rolling restart: one replica, SIGTERM → exit' },
  routeLive: { name: 'route edit acknowledged → live on a replica', boundMs: 50, quantile: 0.99, soft: true },
  routeLiveAtMost: { name: 'route edit acknowledged → live on a replica, slowest', boundMs: 1000 },
} as const satisfies Record<string, WindowKind>

export type WindowName = keyof typeof WINDOWS

export class Windows {
  readonly #samples = new Map<WindowName, number[]>()

  add(name: WindowName, ms: number): void {
    const samples = this.#samples.get(name)
    if (samples === undefined) this.#samples.set(name, [ms])
    else samples.push(ms)
  }

  /** Returns one sentence for each exceeded bound. */
  broken(): string[] {
    return [...this.#samples].flatMap(([name, samples]) => {
      const { boundMs, soft = false }: WindowKind = WINDOWS[name]
      const worst = Math.max(...samples)
      if (boundMs === undefined || soft || worst <= boundMs + MEASUREMENT_MS) return []
      return [`${WINDOWS[name].name}: ${Math.round(worst)} ms, promised ${boundMs} ms`]
    })
  }

  table(): string {
    const rows = (Object.keys(WINDOWS) as WindowName[]).flatMap(name => {
      const samples = this.#samples.get(name)
      if (samples === undefined) return []
      samples.sort((left, right) => left - right)
      const { name: text, boundMs, quantile }: WindowKind = WINDOWS[name]
      const bound = boundMs === undefined ? '' : `${boundMs}${quantile === undefined ? '' : ' p99'}`
      const values = [0.5, 0.99, 1].map(part => String(Math.round(at(samples, part))))
      return [[text, String(samples.length), ...values, bound]]
    })
    const all = [['window, ms', 'n', 'median', 'p99', 'max', 'bound'], ...rows]
    const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
    return all
      .map(row =>
        row
          .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
          .join('  '),
      )
      .join('\n')
  }
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0
}
