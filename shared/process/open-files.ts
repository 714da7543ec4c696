// Reads the limit of open files of this process, and fits limits of connections into it. Every socket and every file is an open
// file (a descriptor). At the limit, the system refuses a new one with EMFILE, and calls fail in places far from the cause.

/** A resource limit in `process.report`. */
interface ReportedLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } }
}

/** A limit of connections, and the open files that it needs. */
export interface OpenFilesDemand {
  /** Open files that the configured limit needs. Infinity: as many as possible. */
  readonly wanted: number
  /** Its share when the demands exceed the limit. */
  readonly weight: number
}

/** Limits of connections that were lowered, so that they fit into the limit of open files. */
export interface LoweredLimits {
  /**
   * True when a limit that the operator has set was lowered, or when a default became too small for ordinary use. The log then
   * has a warning. When false, the limits are lower, but most installations never reach them.
   */
  readonly isProblem: boolean
  /** One line for the log: the lowered limits, the reason, and the remedy. */
  readonly detail: string
}

/**
 * Returns the soft limit in force. Infinity when the system has no limit (or reports no limit, as on Windows). Node raises the
 * soft limit to the hard limit at its start, so this number applies, not the one that a shell prints. The function opens no
 * file, so it works at the limit too.
 */
export function openFilesLimit(): number {
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report
  const { excludeNetwork = false } = report
  // By default, the report resolves the addresses of all peers to names.
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
 * Divides `available` open files among the demands, in their order. A demand below its share gets its full number, and the rest
 * of its share is divided among the other demands by weight.
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
