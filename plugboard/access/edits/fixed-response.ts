// The response that a route with the option `respond` sends: a maintenance page, a robots.txt, a health check. Requests from
// excepted addresses, and requests outside of the time from `from` to `until`, do not get it: they go to the service.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { IpNetworks } from '../../common/net/ip-networks.ts'
import type { RespondRules } from '../../routes/rules/respond-rules.ts'
import type { RouteResponse } from '../access-decision.ts'

const TEXT = 'text/plain; charset=utf-8'

export class FixedResponse {
  readonly #response: RouteResponse
  readonly #except: IpNetworks | undefined
  /** Milliseconds since 1970. */
  readonly #from: number
  readonly #until: number
  readonly #clock: Clock

  constructor(rules: RespondRules, clock: Clock) {
    const { except, from, until } = rules
    this.#response = responseOf(rules)
    this.#except = except && new IpNetworks(except)
    this.#from = from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from)
    this.#until = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until)
    this.#clock = clock
  }

  /** Returns the response to a client; undefined when its request goes to the service. Each request gets the same object. */
  responseTo(clientAddress: string): RouteResponse | undefined {
    if (this.#except?.has(clientAddress) === true) return undefined
    const now = this.#clock.wallTime()
    return this.#from <= now && now < this.#until ? this.#response : undefined
  }
}

function responseOf(rules: RespondRules): RouteResponse {
  const { status = 200, contentType = TEXT, body = '', headers = {}, retryAfterSeconds } = rules
  const fields = Object.entries(headers).flat()
  if (body !== '') fields.push('Content-Type', contentType)
  if (retryAfterSeconds !== undefined) fields.push('Retry-After', String(retryAfterSeconds))
  // A cache must not keep an error response that is temporary, unless the route sets Cache-Control.
  const isCacheSet = Object.keys(headers).some(name => name.toLowerCase() === 'cache-control')
  if (status >= 400 && !isCacheSet) fields.push('Cache-Control', 'no-store')
  return { status, fields, body: Buffer.from(body) }
}
