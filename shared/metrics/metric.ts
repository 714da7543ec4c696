// The form of a metric: a row of a table (name, type, labels, help), and a source that reports its values at a scrape. The text for
// Prometheus (prometheus-text.ts) and the documents derive from the same rows.

import type { Histogram } from './histogram.ts'

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** The names of the labels, in the order of the label values. */
  readonly labels: readonly string[]
  /** Unit in UCUM, as OTLP names it: `s`, `By`, or `1` for a number of things. */
  readonly unit: 's' | 'By' | '1'
  /** Only for a histogram: the upper bounds of its buckets, without infinity. */
  readonly boundaries?: readonly number[]
  /** The name in OTLP, where it differs from the name with dots for underscores. */
  readonly otlpName?: string
  /** The names of the labels in OTLP, where they differ. */
  readonly otlpLabels?: readonly string[]
}

export type MetricTable = Readonly<Record<string, MetricDefinition>>

/** Receives the values of one metric. `labels`: one value for each label of its row. */
export interface MetricSink {
  value(labels: readonly string[], value: number): void
  histogram(labels: readonly string[], histogram: Histogram): void
}

/** Reports the present values of one metric. */
export type MetricSource = (sink: MetricSink) => void

/** One source for each row of a table. */
export type MetricSources<Table extends MetricTable> = { readonly [Name in keyof Table]: MetricSource }

export interface Metric {
  readonly name: string
  readonly definition: MetricDefinition
  readonly collect: MetricSource
}

/** Returns the metrics in the order of the table. */
export function metricsOf<Table extends MetricTable>(table: Table, sources: MetricSources<Table>): Metric[] {
  return Object.entries(table).map(([name, definition]) => ({
    name,
    definition,
    collect: sources[name] as MetricSource,
  }))
}
