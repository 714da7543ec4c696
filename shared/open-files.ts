// The limit of open files of this process, and how limits of connections are made to fit into it. Every socket and
// every file is an open file (a descriptor). At the limit the system refuses new ones with EMFILE, and calls that
// need one fail in places far from the cause.

/** A resource limit in `process.report`. */
interface ReportedLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } }
}

/** One limit that costs open files. */
export interface OpenFilesDemand {
  /** Open files that the configured limit needs. Infinity: as many as there are. */
  readonly wanted: number
  /** Its share when the demands exceed the limit. */
  readonly weight: number
}

/** Limits of connections that were lowered, so that they fit into the limit of open files. */
export interface LoweredLimits {
  /**
   * True when a limit that the operator has set was lowered, or when a default became too small for ordinary use. The
   * log then has a warning. Otherwise most installations never reach the lower limits.
   */
  readonly isProblem: boolean
  /** One line for the log: which limits were lowered, why, and what to do. */
  readonly detail: string
}

/**
 * Returns the soft limit in force; Infinity when the system has none (or reports none, as Windows). Node raises the soft
 * limit to the hard limit when it starts, so this is the number that counts, not the one that a shell prints.
 * Works without an open file, so also at the limit.
 */
export function openFilesLimit(): number {
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report
  const { excludeNetwork = false } = report
  // Without this, the report looks up the names of all peers.
  report.excludeNetwork = true
  try {
    const { userLimits } = report.getReport() as ReportedLimits
    const soft = userLimits?.open_files?.soft
    return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}

/**
 * Divides `available` open files among the demands, in their order. A demand that wants less than its share gets all
 * that it wants, and the rest of its share goes to the others by their weights.
 */
export function divideOpenFiles(available: number, demands: readonly OpenFilesDemand[]): number[] {
  const granted = new Map<OpenFilesDemand, number>()
  let left = available
  let short = demands
  for (;;) {
    const unit = left / sum(short.map(({ weight }) => weight))
    const satisfied = short.filter(({ wanted, weight }) => wanted <= weight * unit)
    if (satisfied.length === 0) {
      for (const demand of short) granted.set(demand, Math.floor(demand.weight * unit))
      return demands.map(demand => granted.get(demand) as number)
    }
    for (const demand of satisfied) granted.set(demand, demand.wanted)
    left -= sum(satisfied.map(({ wanted }) => wanted))
    short = short.filter(demand => !satisfied.includes(demand))
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
