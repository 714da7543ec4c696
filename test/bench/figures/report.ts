// The result of a run, as JSON for machines and as a table for people.

import { cpus, loadavg, release, totalmem } from 'node:os'
import type { BenchOptions } from '../options.ts'
import type { Measurement, Values } from './measurement.ts'
import { median } from './statistics.ts'

/** Above this load average, a run mostly measures other processes. */
const BUSY = 1

export interface BenchReport {
  readonly startedAt: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryBytes: number
    readonly system: string
    readonly node: string
    readonly loadGenerator: string
    /** The load of the machine in the minute before the run. */
    readonly loadAverage: number
  }
  readonly options: BenchOptions
  /** Requested targets that could not be measured on this machine. */
  readonly skipped: readonly { readonly target: string; readonly reason: string }[]
  readonly measurements: readonly Measurement[]
}

export function describeMachine(loadGenerator: string): BenchReport['machine'] {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    loadGenerator,
    loadAverage: loadavg()[0] ?? 0,
  }
}

/** Returns one block of aligned columns for each scenario. */
export function renderTable(report: BenchReport): string {
  const { machine } = report
  const lines = [
    `${machine.cores} × ${machine.cpu}, ${machine.system}, Node ${machine.node}, load from ${machine.loadGenerator}`,
  ]
  if (machine.loadAverage > BUSY) {
    lines.push(
      `The machine was busy before the run (load ${machine.loadAverage.toFixed(1)}): do not trust these figures.`,
    )
  }
  const scenarios = new Set(report.measurements.map(({ scenario }) => scenario))
  for (const scenario of scenarios) {
    const rows = report.measurements.filter(measurement => measurement.scenario === scenario)
    const columns = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))]
    const table = [
      [scenario, ...columns],
      ...rows.map(({ target, values }) => [target, ...columns.map(name => format(values[name]))]),
    ]
    lines.push('', ...align(table), ...comparisonOf(rows))
  }
  for (const { target, reason } of report.skipped) lines.push('', `${target} was left out: ${reason}`)
  return `${lines.join('\n')}\n`
}

/**
 * Returns the cost of a request compared with the other build: the median of the differences within each round. Beside it is
 * the same difference between two runs of this build, which is the noise. Empty without `--against`.
 */
export function comparisonOf(rows: readonly Measurement[]): string[] {
  const roundsOf = (target: string) => rows.find(row => row.target === target)?.rounds ?? []
  const [own, again, other] = [roundsOf('vera'), roundsOf('vera-again'), roundsOf('vera-other')]
  if (own[0]?.['cpuUs.all'] === undefined || other.length === 0) return []
  const change = (from: readonly Values[]) =>
    median(own.map((values, round) => values['cpuUs.all']! / from[round]!['cpuUs.all']! - 1)) * 100
  const signed = (percent: number) => `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`
  return [
    `CPU beside the other build: ${signed(change(other))}; noise, this build beside itself: ${signed(change(again))}`,
  ]
}

function format(value: number | undefined): string {
  if (value === undefined) return '-'
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

function align(table: readonly (readonly string[])[]): string[] {
  const widths = table[0]!.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  return table.map(row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}
