// The limit of open event streams, of all kinds together: streams hold their connections, and some connections are kept for probes and
// operators.

import { ClientShares, DEFAULT_CLIENT_SHARE_PERCENT } from '@vera-stack/shared/client-shares.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { MiddlewareHandler } from 'hono'
import type { AdminEnv } from '../admin-env.ts'

export class EventStreams {
  readonly #max: number
  readonly #open = new ClientShares(DEFAULT_CLIENT_SHARE_PERCENT)

  constructor(max = 100) {
    this.#max = max
  }

  /** Counts a stream of the API key. Returns a function that ends the count. Throws when the limit is reached. */
  open(keyId: string): () => void {
    if (this.#open.held >= this.#max)
      throw new VeraError('overloaded', `All ${this.#max} event streams are open. Try again later.`)
    if (!this.#open.allows(keyId, this.#max)) {
      const detail = 'Too many event streams of this API key are open. Close one of them.'
      throw new VeraError('concurrency_limited', detail)
    }
    this.#open.add(keyId)
    return () => this.#open.remove(keyId)
  }
}

/**
 * Ends the event stream of a HEAD request. Hono handles HEAD as GET and drops the body, so nobody would read the stream, and it
 * would keep its place for ever.
 */
export const endStreamOfHead: MiddlewareHandler<AdminEnv> = async (c, next) => {
  await next()
  if (c.req.method !== 'HEAD') return
  if (c.res.headers.get('content-type')?.startsWith('text/event-stream') === true) await c.res.body?.cancel()
}
