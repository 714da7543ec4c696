import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { type Metric, metricsOf } from './metric.ts'
import { Scraper } from './scraper.ts'

const TABLE = { reads_total: { type: 'counter', help: 'x', labels: [], unit: '1' } } as const

/** Metrics that count how often they are read. */
function countingScraper(): { readonly scraper: Scraper; readonly reads: () => number } {
  let reads = 0
  const metrics: Metric[] = metricsOf(TABLE, {
    reads_total: sink => {
      reads += 1
      sink.value([], reads)
    },
  })
  return { scraper: new Scraper(() => metrics), reads: () => reads }
}

it('compresses the text when the request accepts gzip', async () => {
  const { scraper } = countingScraper()
  for (const field of ['gzip', 'deflate, gzip;q=0.5', 'GZIP', 'br, gzip ;q=1.0']) {
    const { body, gzipped } = await scraper.scrape(field)
    expect([gzipped, gunzipSync(body).toString()]).toEqual([true, expect.stringContaining('reads_total')])
  }
  for (const field of [undefined, '', 'identity', 'gzip;q=0', 'gzip; q=0.000', 'x-gzip']) {
    expect((await scraper.scrape(field)).gzipped).toBe(false)
  }
})

it('reads the metrics once for scrapes at the same time, and anew for the next one', async () => {
  const { scraper, reads } = countingScraper()
  const results = await Promise.all(['gzip', undefined, 'gzip', undefined].map(each => scraper.scrape(each)))
  expect([reads(), results.filter(({ gzipped }) => gzipped).length]).toEqual([1, 2])
  expect((await scraper.scrape(undefined)).body.toString()).toContain('reads_total 2')
})

it('rejects when a source throws, and works again afterwards', async () => {
  let fails = true
  const scraper = new Scraper(() =>
    metricsOf(TABLE, {
      reads_total: sink => {
        if (fails) throw new Error('no value')
        sink.value([], 1)
      },
    }),
  )
  await expect(scraper.scrape('gzip')).rejects.toThrow('no value')
  await expect(scraper.scrape(undefined)).rejects.toThrow('no value')
  fails = false
  expect((await scraper.scrape(undefined)).body.toString()).toContain('reads_total 1')
})
