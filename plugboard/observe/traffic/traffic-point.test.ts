import { Histogram, PART_BOUNDARIES } from '@vera-stack/shared/metrics/histogram.ts'
import { describe, expect, test } from 'vitest'
import { addHistogram, newTotals } from '../../metrics/traffic-totals.ts'
import { pointOf } from './point-of-totals.ts'
import { dividePoint, mergePoints, NO_TRAFFIC, type TrafficPoint } from './traffic-point.ts'

/** Returns the totals of one response for each time, in seconds. */
function totalsOf(heads: readonly number[], backends: readonly number[] = [], waits: readonly number[] = []) {
  const totals = newTotals()
  const histogramOf = (times: readonly number[]): Histogram => {
    const histogram = new Histogram(PART_BOUNDARIES)
    for (const time of times) histogram.observe(time)
    return histogram
  }
  addHistogram(histogramOf(heads), totals.head)
  addHistogram(histogramOf(backends), totals.backend)
  addHistogram(histogramOf(waits), totals.wait)
  totals.classes[0] = heads.length
  return totals
}

describe('a point', () => {
  test('has requests, bytes, and the mean times of the parts', () => {
    const totals = totalsOf([0.02, 0.04], [0.01, 0.03], [0.006])
    totals.classes.set([2, 1, 3, 4])
    totals.requestBytes = 10
    totals.responseBytes = 20
    const point = pointOf(totals)
    expect(point).toMatchObject({ classes: [2, 1, 3, 4], requestBytes: 10, responseBytes: 20 })
    const [wait, tunnel, backend] = point.parts ?? []
    expect(wait).toBeCloseTo(3)
    expect(tunnel).toBeCloseTo(10)
    expect(backend).toBeCloseTo(20)
  })

  test('has quantiles that are linear inside a bucket', () => {
    // The bucket from 25 to 50 ms.
    const { quantiles } = pointOf(totalsOf(Array.from({ length: 100 }, () => 0.03)))
    expect(quantiles?.map(ms => Math.round(ms * 100) / 100)).toEqual([37.5, 48.75, 49.75])
    expect(pointOf(totalsOf([60])).quantiles).toEqual([10_000, 10_000, 10_000])
  })

  test('counts the whole time as that of the backend when the Telephone does not report it', () => {
    expect(pointOf(totalsOf([0.02])).parts).toEqual([0, 0, 20])
  })

  test('has no times without a response', () => {
    const totals = newTotals()
    expect(pointOf(totals)).toBe(NO_TRAFFIC)
    totals.classes[3] = 1
    expect(pointOf(totals)).toMatchObject({ classes: [0, 0, 0, 1], quantiles: null, parts: null })
  })

  test('is divided into equal parts, with the same times', () => {
    const point = pointOf(totalsOf([0.02, 0.02]))
    expect(dividePoint(point, 4)).toEqual({ ...point, classes: [0.5, 0, 0, 0] })
    expect(dividePoint(point, 1)).toBe(point)
  })
})

describe('merged points', () => {
  const point = (requests: number, ms: number): TrafficPoint => ({
    classes: [requests, 0, 0, 0],
    requestBytes: 1,
    responseBytes: 2,
    quantiles: [ms, 2 * ms, 3 * ms],
    parts: [0, ms / 2, ms / 2],
  })

  test('add their counts, and weight their means by requests', () => {
    expect(mergePoints([point(30, 10), point(10, 50)])).toMatchObject({
      classes: [40, 0, 0, 0],
      requestBytes: 2,
      responseBytes: 4,
      parts: [0, 10, 10],
    })
  })

  test('have the quantiles of equal points', () => {
    const [p50 = 0, p95 = 0, p99 = 0] = mergePoints([point(5, 10), point(50, 10)]).quantiles ?? []
    expect(p50).toBeCloseTo(10, 3)
    expect(p95).toBeCloseTo(20, 3)
    expect(p99).toBeCloseTo(30, 3)
  })

  test('have quantiles between those of their points', () => {
    // 90 of 100 requests take about 10 ms, and 10 take 1,000 ms and more.
    const [p50 = 0, p95 = 0] = mergePoints([point(90, 10), point(10, 1000)]).quantiles ?? []
    expect(p50).toBeGreaterThanOrEqual(10)
    expect(p50).toBeLessThan(20)
    expect(p95).toBeGreaterThan(500)
    expect(p95).toBeLessThan(1500)
  })

  test('of none and of one', () => {
    expect(mergePoints([])).toBe(NO_TRAFFIC)
    expect(mergePoints([point(1, 1)])).toEqual(point(1, 1))
    expect(mergePoints([NO_TRAFFIC, NO_TRAFFIC])).toEqual(NO_TRAFFIC)
    expect(mergePoints([NO_TRAFFIC, point(4, 10)]).parts).toEqual([0, 5, 5])
  })
})
