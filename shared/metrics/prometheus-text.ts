// The text format of Prometheus (version 0.0.4), for `GET /metrics`. Written by hand, because 5,000 histograms are 90,000 lines: a
// library needs 378 ms of the event loop for them. The text has the form of prom-client, and a test compares the two.

import type { Histogram } from './histogram.ts'
import type { Metric, MetricSink } from './metric.ts'

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Yields the text in pieces of at least `pieceLength` characters, so that the caller can pause between two of them. */
export function* prometheusText(metrics: Iterable<Metric>, pieceLength = 131_072): Generator<string> {
  let text = ''
  let isFirst = true
  for (const metric of metrics) {
    if (!isFirst) text += '\n'
    isFirst = false
    text += headerOf(metric)
    for (const line of linesOf(metric)) {
      text += line
      if (text.length < pieceLength) continue
      yield text
      text = ''
    }
  }
  if (text !== '') yield text
}

function headerOf({ name, definition: { help, type } }: Metric): string {
  return `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n`
}

/** Returns one text for each series. */
function linesOf(metric: Metric): string[] {
  const lines: string[] = []
  const { name, definition } = metric
  const buckets = (definition.boundaries ?? []).map(bound => `${name}_bucket{le="${bound}"`)
  const sink: MetricSink = {
    value: (labels, value) => {
      const text = labelText(definition.labels, labels)
      lines.push(`${name}${text === '' ? '' : `{${text}}`} ${numberText(value)}\n`)
    },
    histogram: (labels, histogram) =>
      lines.push(histogramText(name, buckets, labelText(definition.labels, labels), histogram)),
  }
  metric.collect(sink)
  return lines
}

function histogramText(
  name: string,
  buckets: readonly string[],
  labels: string,
  { counts, sum }: Histogram,
): string {
  const tail = labels === '' ? '} ' : `,${labels}} `
  let text = ''
  let total = 0
  for (let bucket = 0; bucket < buckets.length; bucket += 1) {
    total += counts[bucket] as number
    text += `${buckets[bucket]}${tail}${total}\n`
  }
  total += counts[buckets.length] as number
  const braces = labels === '' ? '' : `{${labels}}`
  return (
    `${text}${name}_bucket{le="+Inf"${tail}${total}\n` +
    `${name}_sum${braces} ${numberText(sum)}\n${name}_count${braces} ${total}\n`
  )
}

/** Returns the labels without braces. */
function labelText(names: readonly string[], values: readonly string[]): string {
  let text = ''
  for (let index = 0; index < names.length; index += 1) {
    text += `${index === 0 ? '' : ','}${names[index]}="${escapedLabel(values[index] ?? '')}"`
  }
  return text
}

const SPECIAL = /[\\\n"]/

/** A label value may contain text of clients and telephones. Without the escapes, it could add series of its own. */
function escapedLabel(value: string): string {
  if (!SPECIAL.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
