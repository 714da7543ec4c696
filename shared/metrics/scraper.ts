// One scrape: all metrics as one buffer, with gzip on request. The text is made in pieces with pauses, so that no piece holds the
// event loop for long, and scrapes at the same time share one text, so that many of them cost as much as one.

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { acceptsCoding } from '../http/accepts-coding.ts'
import type { Metric } from './metric.ts'
import { prometheusText } from './prometheus-text.ts'

const compress = promisify(gzip)
/** The fastest level: the text has many repetitions, so a higher level saves little. */
const GZIP_LEVEL = 1

export interface ScrapeResult {
  readonly body: Buffer
  readonly gzipped: boolean
}

export class Scraper {
  readonly #metrics: () => Iterable<Metric>
  #text: Promise<Buffer> | undefined
  #gzipped: Promise<Buffer> | undefined

  /** `metrics` is called once for each text. */
  constructor(metrics: () => Iterable<Metric>) {
    this.#metrics = metrics
  }

  /** `acceptEncoding`: the field of the request; undefined: the request lacks it. Rejects when a source throws. */
  async scrape(acceptEncoding: string | undefined): Promise<ScrapeResult> {
    if (!acceptsCoding(acceptEncoding, 'gzip')) return { body: await this.#textOnce(), gzipped: false }
    this.#gzipped ??= this.#textOnce()
      .then(text => compress(text, { level: GZIP_LEVEL }))
      .finally(() => {
        this.#gzipped = undefined
      })
    return { body: await this.#gzipped, gzipped: true }
  }

  #textOnce(): Promise<Buffer> {
    this.#text ??= this.#render().finally(() => {
      this.#text = undefined
    })
    return this.#text
  }

  async #render(): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (const piece of prometheusText(this.#metrics())) {
      pieces.push(Buffer.from(piece))
      await new Promise(resolve => setImmediate(resolve))
    }
    return Buffer.concat(pieces)
  }
}
