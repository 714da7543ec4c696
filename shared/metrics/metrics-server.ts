// The port of `metricsListen`: serves `GET /metrics` without a credential, and no other path. So the operator chooses an address
// that only Prometheus reaches. Requests have no body, and few connections are accepted.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../log.ts'
import { PROMETHEUS_TYPE } from './prometheus-text.ts'
import type { Scraper } from './scraper.ts'

export interface MetricsServerOptions {
  readonly scraper: Scraper
  /** `host` undefined: all interfaces. */
  readonly listen: { readonly host?: string | undefined; readonly port: number }
  readonly log: Logger
}

export interface MetricsServer {
  /** The address with the real port. Port 0 selects a free port. */
  readonly address: AddressInfo
  /** Closes the listener and all connections. */
  stop(): Promise<void>
}

const MAX_CONNECTIONS = 64
const HEAD_TIMEOUT_MS = 10_000

/** Opens the listener. Rejects with the error of the system: EADDRINUSE, EACCES. */
export async function startMetricsServer({
  scraper,
  listen,
  log,
}: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer(
    { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: HEAD_TIMEOUT_MS, keepAliveTimeout: 120_000 },
    (request, response) => void respond(scraper, request, response, log),
  )
  server.maxConnections = MAX_CONNECTIONS
  server.listen({ port: listen.port, ...(listen.host !== undefined && { host: listen.host }) })
  await once(server, 'listening')
  server.on('error', error => log.error('the metrics listener could not accept a connection', { err: error }))
  return {
    address: server.address() as AddressInfo,
    async stop() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function respond(
  scraper: Scraper,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  if (request.url?.split('?', 1)[0] !== '/metrics') {
    refuse(response, 404, 'Not found. This port serves /metrics only.')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    refuse(response, 405, 'Use GET.')
    return
  }
  try {
    const encodings = request.headers['accept-encoding']
    const { body, gzipped } = await scraper.scrape(Array.isArray(encodings) ? encodings.join() : encodings)
    if (gzipped) response.setHeader('Content-Encoding', 'gzip')
    response.setHeader('Vary', 'Accept-Encoding')
    response.writeHead(200, { 'Content-Type': PROMETHEUS_TYPE, 'Content-Length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
  } catch (error) {
    log.error('the metrics could not be collected', { err: error })
    refuse(response, 500, 'The metrics could not be collected. The log has the reason.')
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  // A request may have a body, which is not read.
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' })
  response.end(`${text}\n`)
}
