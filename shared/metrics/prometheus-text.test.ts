import fc from 'fast-check'
import { Counter, Gauge, Registry, Histogram as TwinHistogram } from 'prom-client'
import { expect, it } from 'vitest'
import { runSeed } from '../../test/support/seeded-random.ts'
import { DURATION_BOUNDARIES, Histogram } from './histogram.ts'
import { type Metric, metricsOf } from './metric.ts'
import { prometheusText } from './prometheus-text.ts'

const TABLE = {
  requests_total: { type: 'counter', help: 'Requests.', labels: ['code', 'who'], unit: '1' },
  up: { type: 'gauge', help: 'Says "up" \\ down,\non two lines.', labels: [], unit: '1' },
  seconds: {
    type: 'histogram',
    help: 'Time.',
    labels: ['service'],
    unit: 's',
    boundaries: DURATION_BOUNDARIES,
  },
} as const

const text = (metrics: readonly Metric[], length?: number) => [...prometheusText(metrics, length)].join('')

it('writes the same text as prom-client for the same observations', async () => {
  const label = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('a"b', 'c\\d', 'e\nf', '}{', ''))
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(label, label), { selector: pair => pair.join('\0'), maxLength: 6 }),
      fc.array(fc.tuple(fc.constantFrom('x', 'y"'), fc.double({ min: 0, max: 20, noNaN: true })), {
        maxLength: 40,
      }),
      fc.double(),
      async (counts, observations, level) => {
        const histograms = new Map<string, Histogram>()
        for (const [service, value] of observations) {
          const histogram = histograms.get(service) ?? new Histogram(DURATION_BOUNDARIES)
          histograms.set(service, histogram)
          histogram.observe(value)
        }
        const metrics = metricsOf(TABLE, {
          requests_total: sink => {
            for (const [index, labels] of counts.entries()) sink.value(labels, index + 1)
          },
          up: sink => sink.value([], level),
          seconds: sink => {
            for (const [service, histogram] of histograms) sink.histogram([service], histogram)
          },
        })
        expect(text(metrics)).toBe(await twinText(counts, observations, level))
      },
    ),
    { seed: runSeed(), numRuns: 200 },
  )
})

async function twinText(
  counts: readonly (readonly [string, string])[],
  observations: readonly (readonly [string, number])[],
  level: number,
): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const { requests_total, up, seconds } = TABLE
  const counter = new Counter({
    name: 'requests_total',
    help: requests_total.help,
    labelNames: requests_total.labels,
    registers,
  })
  for (const [index, [code, who]] of counts.entries()) counter.labels(code, who).inc(index + 1)
  new Gauge({ name: 'up', help: up.help, registers }).set(level)
  const histogram = new TwinHistogram({
    name: 'seconds',
    help: seconds.help,
    labelNames: seconds.labels,
    buckets: [...DURATION_BOUNDARIES],
    registers,
  })
  for (const [service, value] of observations) histogram.labels(service).observe(value)
  // prom-client writes `Nan`; Prometheus reads both spellings.
  return (await registry.metrics()).replace(/Nan$/m, 'NaN')
}

it('yields pieces that are together the whole text', () => {
  const metrics = metricsOf(
    { many_total: { type: 'counter', help: 'x', labels: ['n'], unit: '1' } },
    {
      many_total: sink => {
        for (let index = 0; index < 100; index += 1) sink.value([String(index)], index)
      },
    },
  )
  const pieces = [...prometheusText(metrics, 100)]
  expect(pieces.length).toBeGreaterThan(10)
  expect(pieces.join('')).toBe(text(metrics))
})
