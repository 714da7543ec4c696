// Writes metrics as requests of OTLP/JSON (opentelemetry-proto 1, ExportMetricsServiceRequest). The rows of the table have the names
// for OTLP. Written by hand, like the text for Prometheus, because no SDK holds the counts. A test compares it with the
// serializer of OpenTelemetry.
//
// A receiver that converts names for Prometheus gets the names of `/metrics`. So unit `1` is not sent: converters would append
// `_ratio` to gauges.

import type { Histogram } from './histogram.ts'
import type { Metric, MetricDefinition, MetricSink } from './metric.ts'

/** The origin of the metrics. */
export interface OtlpResource {
  /** `plugboard` or `telephone`. */
  readonly name: string
  readonly version: string
  /** Unique among the processes of this name. */
  readonly instanceId: string
}

interface OtlpTimes {
  /** Start of the counts, ms since 1970. */
  readonly startMs: number
  /** Time of this reading, ms since 1970. */
  readonly nowMs: number
}

/** A receiver often accepts 4 MB. A request may be longer than this by one data point. */
const MAX_REQUEST_LENGTH = 524_288
const CUMULATIVE = 2
/** The attributes that the semantic conventions define as integers. All others are text. */
const INTEGER_ATTRIBUTES: ReadonlySet<string> = new Set(['http.response.status_code'])

/** Yields requests of at most about `maxLength` characters, so that the caller can pause between two of them. */
export function* otlpRequests(
  metrics: Iterable<Metric>,
  resource: OtlpResource,
  times: OtlpTimes,
  maxLength = MAX_REQUEST_LENGTH,
): Generator<string> {
  const head = requestHead(resource)
  let text = head
  for (const metric of metrics) {
    let isOpen = false
    const [start, end] = frameOf(metric)
    for (const point of pointsOf(metric, times)) {
      if (isOpen) text += ','
      else text += text === head ? start : `,${start}`
      isOpen = true
      text += point
      if (text.length < maxLength) continue
      yield `${text}${end}${REQUEST_END}`
      text = head
      isOpen = false
    }
    if (isOpen) text += end
  }
  if (text !== head) yield text + REQUEST_END
}

const REQUEST_END = ']}]}]}'

function requestHead({ name, version, instanceId }: OtlpResource): string {
  const attributes = [
    attribute('service.name', name),
    attribute('service.version', version),
    attribute('service.instance.id', instanceId),
  ].join()
  const scope = JSON.stringify({ name: 'vera-stack', version })
  return `{"resourceMetrics":[{"resource":{"attributes":[${attributes}]},"scopeMetrics":[{"scope":${scope},"metrics":[`
}

/** Returns the texts before and after the data points of a metric. */
function frameOf({ name, definition }: Metric): readonly [start: string, end: string] {
  const { help, unit, otlpName = name.replaceAll('_', '.') } = definition
  const about = { name: otlpName, description: help, ...(unit !== '1' && { unit }) }
  return [`${JSON.stringify(about).slice(0, -1)},${KINDS[definition.type]}"dataPoints":[`, ']}}']
}

const KINDS: Readonly<Record<MetricDefinition['type'], string>> = {
  counter: `"sum":{"aggregationTemporality":${CUMULATIVE},"isMonotonic":true,`,
  gauge: '"gauge":{',
  histogram: `"histogram":{"aggregationTemporality":${CUMULATIVE},`,
}

/** Returns one text for each series. */
function pointsOf({ definition, collect }: Metric, { startMs, nowMs }: OtlpTimes): string[] {
  const points: string[] = []
  const { labels: names, otlpLabels: keys = names, boundaries = [] } = definition
  const times = `"startTimeUnixNano":"${nanoseconds(startMs)}","timeUnixNano":"${nanoseconds(nowMs)}"`
  const bounds = `"explicitBounds":${JSON.stringify(boundaries)}`
  const sink: MetricSink = {
    value(labels, value) {
      // JSON has no text for NaN and infinity.
      if (!Number.isFinite(value)) return
      points.push(`{"attributes":[${attributesText(keys, labels)}],${times},"asDouble":${value}}`)
    },
    histogram(labels, histogram) {
      points.push(
        `{"attributes":[${attributesText(keys, labels)}],${times},${bounds},${countsText(histogram)}}`,
      )
    },
  }
  collect(sink)
  return points
}

/** 64-bit integers are text in the JSON form of protobuf. */
function countsText({ counts, count, sum }: Histogram): string {
  const sumText = Number.isFinite(sum) ? `,"sum":${sum}` : ''
  return `"bucketCounts":["${counts.join('","')}"],"count":"${count}"${sumText}`
}

/** An empty label is an absent attribute, as in Prometheus. */
function attributesText(keys: readonly string[], values: readonly string[]): string {
  let text = ''
  for (let index = 0; index < keys.length; index += 1) {
    const value = values[index] ?? ''
    if (value !== '') text += `${text === '' ? '' : ','}${attribute(keys[index] as string, value)}`
  }
  return text
}

function attribute(key: string, value: string): string {
  const text = JSON.stringify(value)
  const isInteger = INTEGER_ATTRIBUTES.has(key) && /^\d{1,15}$/.test(value)
  return `{"key":"${key}","value":{"${isInteger ? 'intValue' : 'stringValue'}":${text}}}`
}

const nanoseconds = (ms: number): string => `${Math.round(ms)}000000`
