import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { expect, it } from 'vitest'
import { Histogram } from './histogram.ts'
import { type MetricTable, metricsOf } from './metric.ts'
import { otlpRequests } from './otlp-requests.ts'

type SdkMetrics = Parameters<typeof JsonMetricsSerializer.serializeRequest>[0]
type SdkMetric = SdkMetrics['scopeMetrics'][number]['metrics'][number]

const RESOURCE = { name: 'plugboard', version: '1.2.3', instanceId: 'edge-1' }
const TIMES = { startMs: 1_700_000_000_000, nowMs: 1_700_000_060_123 }
const TABLE = {
  http_server_request_duration_seconds: {
    type: 'histogram',
    help: 'Times.',
    labels: ['plugboard_service', 'http_response_status_code', 'error_type'],
    unit: 's',
    boundaries: [0.1, 1],
    otlpName: 'http.server.request.duration',
    otlpLabels: ['plugboard.service', 'http.response.status_code', 'error.type'],
  },
  plugboard_request_bytes_total: { type: 'counter', help: 'Bytes.', labels: ['service'], unit: 'By' },
  plugboard_tunnels: { type: 'gauge', help: 'Tunnels.', labels: [], unit: '1' },
} as const satisfies MetricTable

function histogramOf(...values: number[]): Histogram {
  const histogram = new Histogram([0.1, 1])
  for (const value of values) histogram.observe(value)
  return histogram
}

const times = histogramOf(0.1, 0.2, 5)
const metrics = metricsOf(TABLE, {
  http_server_request_duration_seconds: sink => {
    sink.histogram(['shop "a"\n\\', '200', ''], times)
    sink.histogram(['', '503', 'no_telephone'], histogramOf())
  },
  plugboard_request_bytes_total: sink => sink.value(['shop'], 1e21),
  plugboard_tunnels: sink => sink.value([], 2.5),
})

/** 64-bit integers: our text has the form of the specification, and the SDK writes numbers. */
const INTEGERS = ['count', 'intValue', 'bucketCounts']
const read = (text: string): unknown =>
  JSON.parse(text, (key, value: unknown) => {
    if (!INTEGERS.includes(key)) return value
    return Array.isArray(value) ? value.map(Number) : Number(value)
  })

it('writes the same request as OpenTelemetry for the same observations', () => {
  const point = { startTime: [1_700_000_000, 0], endTime: [1_700_000_060, 123_000_000] }
  const cumulative = { aggregationTemporality: 1 }
  const descriptor = { valueType: 1 }
  const twinOf = (histogram: Histogram, attributes: object): object => {
    const { boundaries, counts, count, sum } = histogram
    return { ...point, attributes, value: { buckets: { boundaries, counts }, count, sum } }
  }
  const twins = [
    {
      descriptor: { ...descriptor, name: 'http.server.request.duration', description: 'Times.', unit: 's' },
      ...cumulative,
      dataPointType: 0,
      dataPoints: [
        twinOf(times, { 'plugboard.service': 'shop "a"\n\\', 'http.response.status_code': 200 }),
        twinOf(histogramOf(), { 'http.response.status_code': 503, 'error.type': 'no_telephone' }),
      ],
    },
    {
      descriptor: {
        ...descriptor,
        name: 'plugboard.request.bytes.total',
        description: 'Bytes.',
        unit: 'By',
      },
      ...cumulative,
      dataPointType: 3,
      isMonotonic: true,
      dataPoints: [{ ...point, attributes: { service: 'shop' }, value: 1e21 }],
    },
    {
      descriptor: { ...descriptor, name: 'plugboard.tunnels', description: 'Tunnels.', unit: undefined },
      ...cumulative,
      dataPointType: 2,
      dataPoints: [{ ...point, attributes: {}, value: 2.5 }],
    },
  ] as unknown as SdkMetric[]
  const attributes = {
    'service.name': 'plugboard',
    'service.version': '1.2.3',
    'service.instance.id': 'edge-1',
  }
  const twin = JsonMetricsSerializer.serializeRequest({
    resource: { attributes } as unknown as SdkMetrics['resource'],
    scopeMetrics: [{ scope: { name: 'vera-stack', version: '1.2.3' }, metrics: twins }],
  })
  const [text, ...more] = [...otlpRequests(metrics, RESOURCE, TIMES)]
  expect(more).toEqual([])
  const expected = read(new TextDecoder().decode(twin)) as { resourceMetrics: { resource: object }[] }
  // Absent and 0 are the same in protobuf.
  delete (expected.resourceMetrics[0]!.resource as { droppedAttributesCount?: number }).droppedAttributesCount
  expect(read(text!)).toEqual(expected)
})

it('writes 64-bit integers as text', () => {
  const [text] = otlpRequests(metrics, RESOURCE, TIMES)
  expect(text).toContain('"bucketCounts":["1","1","1"],"count":"3","sum":5.3')
  expect(text).toContain('"startTimeUnixNano":"1700000000000000000","timeUnixNano":"1700000060123000000"')
  expect(text).toContain('{"key":"http.response.status_code","value":{"intValue":"200"}}')
})

it('splits long metrics into requests of a bounded length, each complete', () => {
  const counts = metricsOf({ a_total: { type: 'counter', help: 'x', labels: ['n'], unit: '1' } } as const, {
    a_total: sink => {
      for (let index = 0; index < 100; index += 1) sink.value([String(index)], index)
    },
  })
  const texts = [...otlpRequests([...metrics, ...counts], RESOURCE, TIMES, 2000)]
  expect(texts.length).toBeGreaterThan(5)
  const values = texts.flatMap(text => {
    expect(text.length).toBeLessThan(2600)
    const { resourceMetrics } = JSON.parse(text) as {
      resourceMetrics: { scopeMetrics: { metrics: { name: string; sum?: { dataPoints: unknown[] } }[] }[] }[]
    }
    const all = resourceMetrics[0]!.scopeMetrics[0]!.metrics
    return all.filter(({ name }) => name === 'a.total').flatMap(({ sum }) => sum!.dataPoints)
  })
  expect(values).toHaveLength(100)
})

it('leaves out values that JSON cannot express, and metrics without a value', () => {
  const table = { a: { type: 'gauge', help: 'x', labels: [], unit: '1' } } as const
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const empty = metricsOf(table, { a: sink => sink.value([], value) })
    expect([...otlpRequests(empty, RESOURCE, TIMES)]).toEqual([])
  }
})
