// The behaviours of the misbehaving backend, by path. `/raw` writes exact bytes to the socket without Node's HTTP layer; all
// other paths use ordinary HTTP. The query holds the parameters.

import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { patternBytes } from '../pattern.ts'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
}

const number = (query: URLSearchParams, name: string, fallback: number) => Number(query.get(name) ?? fallback)

/** Reads the body to its end. Resolves with undefined when the sender aborted it. */
async function readBody(request: IncomingMessage): Promise<{ bytes: number; sha256: string } | undefined> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk)
      bytes += chunk.length
    }
  } catch {
    // The sender has closed the connection, so a response is not possible. server.ts reports the abort.
    return undefined
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** Sends `count` pieces, one every `intervalMs`, until the reader closes the connection. */
function sendSlowly(
  response: ServerResponse,
  count: number,
  intervalMs: number,
  piece: (n: number) => string,
): void {
  let sent = 0
  const next = () => {
    if (sent === count) {
      response.end()
      return
    }
    response.write(piece(sent))
    sent += 1
    timer = setTimeout(next, intervalMs)
  }
  let timer: NodeJS.Timeout | undefined
  response.on('close', () => clearTimeout(timer))
  next()
}

function sendPattern(response: ServerResponse, totalBytes: number): void {
  let sent = 0
  const fill = () => {
    while (sent < totalBytes) {
      const size = Math.min(65_536, totalBytes - sent)
      const more = response.write(patternBytes(sent, size))
      sent += size
      if (!more) {
        response.once('drain', fill)
        return
      }
    }
    response.end()
  }
  fill()
}

const stepped = new Set<ServerResponse>()
const doomed = new Set<() => void>()

/** Sends one event on every open `/stepped` stream. Without a text, ends these streams and the waiting `/die` connections. */
export function step(text: string | undefined): void {
  if (text === undefined) {
    for (const die of doomed) die()
    doomed.clear()
  }
  for (const response of stepped) {
    if (text === undefined) response.end()
    else response.write(`data: ${text}\n\n`)
  }
}

export const BEHAVIOURS: Record<string, (exchange: Exchange) => void | Promise<void>> = {
  '/hello': ({ response }) => void response.end('hello\n'),

  /** Responds with the status, one header field and the body of the query: ?status=&name=&value=&body= */
  '/answer': ({ response, query }) => {
    const name = query.get('name')
    response.writeHead(number(query, 'status', 200), name ? { [name]: query.get('value') ?? '' } : {})
    response.end(query.get('body') ?? '')
  },

  /** Responds with the head of the request as JSON: method, url, rawHeaders. */
  '/request': ({ request, response }) => {
    request.resume()
    const { method, url, rawHeaders, httpVersion } = request
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, url, rawHeaders, httpVersion }))
  },

  /** Sends the request body back while it arrives. */
  '/echo': ({ request, response }) => {
    const type = request.headers['content-type']
    if (type) response.setHeader('content-type', type)
    pipeline(request, response, () => undefined)
  },

  /** Reads the whole body, then responds with its length and its SHA-256. */
  '/hash': async ({ request, response }) => {
    const body = await readBody(request)
    if (!body) return
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...body, rawTrailers: request.rawTrailers }))
  },

  /** Sends ?bytes= of a known pattern, with Content-Length, or with ?chunked=1 in chunks. */
  '/download': ({ response, query }) => {
    const bytes = number(query, 'bytes', 1_048_576)
    if (!query.has('chunked')) response.setHeader('content-length', bytes)
    sendPattern(response, bytes)
  },

  /** Sends ?count= events, one every ?intervalMs=, each with the time of the backend's monotonic clock in µs. */
  '/sse': ({ response, query }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    const stamp = (n: number) => `id: ${n}\ndata: ${process.hrtime.bigint() / 1000n}\n\n`
    sendSlowly(response, number(query, 'count', 10), number(query, 'intervalMs', 50), stamp)
  },

  /** An event stream whose events the test triggers (`Backend.step`, and `step` above). */
  '/stepped': ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.flushHeaders()
    stepped.add(response)
    response.on('close', () => stepped.delete(response))
  },

  '/ndjson': ({ response, query }) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const line = (n: number) => `${JSON.stringify({ n })}\n`
    sendSlowly(response, number(query, 'count', 10), number(query, 'intervalMs', 50), line)
  },

  /** Reads the request and never responds. */
  '/silent': ({ request }) => void request.resume(),

  /** Never reads the body and never responds. */
  '/never-read': ({ request }) => void request.pause(),

  /** Responds after ?ms=. */
  '/late': ({ request, response, query }) => {
    request.resume()
    const timer = setTimeout(() => response.end('late\n'), number(query, 'ms', 100))
    response.on('close', () => clearTimeout(timer))
  },

  /** Responds as soon as the head has arrived, and does not read the body. */
  '/early': ({ response, query }) => {
    response.writeHead(number(query, 'status', 403), { 'content-length': '6' })
    response.end('early\n')
  },

  /**
   * Announces a length of ?length= bytes (0: chunked), sends ?bytes=, then ends the connection with ?how=fin|reset: at once,
   * or with ?when=told at `Backend.step()`.
   */
  '/die': ({ response, query }) => {
    const length = number(query, 'length', 1000)
    if (length > 0) response.setHeader('content-length', length)
    const die = () => {
      if (query.get('how') === 'reset') response.socket?.resetAndDestroy()
      else response.socket?.destroy()
    }
    response.write(patternBytes(0, number(query, 'bytes', 100)), () => {
      if (query.get('when') === 'told') doomed.add(die)
      else die()
    })
  },

  /** Ends the connection without a response: ?how=fin|reset. */
  '/hang-up': ({ response, query }) => {
    if (query.get('how') === 'reset') response.socket?.resetAndDestroy()
    else response.socket?.destroy()
  },

  /** Writes ?bytes= (base64url) to the socket unchanged. ?then=close closes the socket afterwards. */
  '/raw': ({ request, response, query }) => {
    request.resume()
    const bytes = Buffer.from(query.get('bytes') ?? '', 'base64url')
    response.socket?.write(bytes, () => {
      if (query.get('then') === 'close') response.socket?.destroy()
    })
  },

  /** Sends a 103 with a link, then the response. ?then=die closes the connection after the 103. */
  '/early-hints': ({ response, query }) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => {
      if (query.get('then') === 'die') response.socket?.destroy()
      else response.end('hinted\n')
    })
  },

  /** Sends a chunked response with trailers. */
  '/trailers': ({ response }) => {
    response.writeHead(200, { trailer: 'x-checksum, x-more', 'transfer-encoding': 'chunked' })
    response.write('body\n')
    response.addTrailers([
      ['x-checksum', 'abc'],
      ['x-more', 'def'],
    ])
    response.end()
  },
}
