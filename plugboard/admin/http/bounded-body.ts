// Reads the whole body of a request, up to a limit, before other code uses it. hono's own middleware for this does not work
// here: it builds a new Request from the listener's Request, which Node rejects.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { MiddlewareHandler } from 'hono'
import type { AdminEnv } from '../admin-env.ts'

/**
 * Returns a middleware that throws `payload_too_large` for a body over the limit. `except`: a path whose operation reads and limits
 * its body itself.
 */
export function boundedBody(maxBytes: number, except: string): MiddlewareHandler<AdminEnv> {
  const tooLarge = (): VeraError =>
    new VeraError('payload_too_large', `The body is larger than ${maxBytes} bytes. Send a smaller body.`)
  return async (c, next) => {
    const { raw, method, url } = c.req
    if (method !== 'GET' && method !== 'HEAD' && c.req.path !== except && raw.body !== null) {
      if (Number(raw.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of raw.body) {
        length += chunk.length
        if (length > maxBytes) throw tooLarge()
        chunks.push(chunk)
      }
      const body = length === 0 ? null : Buffer.concat(chunks)
      c.req.raw = new Request(url, { method, headers: raw.headers, body })
    }
    await next()
  }
}
