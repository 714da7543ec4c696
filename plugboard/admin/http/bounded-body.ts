// Reads the body of a request, up to a limit, before other code uses it. The code after it works on bytes that
// are all there. (hono's own middleware for this rebuilds the listener's Request, which Node refuses.)

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { MiddlewareHandler } from 'hono'
import type { AdminEnv } from '../admin-env.ts'

export function boundedBody(maxBytes: number): MiddlewareHandler<AdminEnv> {
  const tooLarge = (): VeraError =>
    new VeraError('payload_too_large', `A body has at most ${maxBytes} bytes.`)
  return async (c, next) => {
    const { raw, method, url } = c.req
    if (method !== 'GET' && method !== 'HEAD' && raw.body !== null) {
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
