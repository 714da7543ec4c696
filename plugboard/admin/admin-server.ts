// The admin listener: Node's HTTP server in front of the application, with limits against slow and endless requests and against
// too many connections. At the limit, the listener closes the connection that has been idle longest. So health probes and
// operators can connect even when a client opens many idle connections.

import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Logger } from '@vera-stack/shared/log.ts'
import { IdleConnections } from '../common/net/idle-connections.ts'
import type { AdminApp } from './admin-app.ts'
import { createParserRefusal } from './http/parser-refusal.ts'

export interface AdminServerOptions {
  readonly app: AdminApp
  /** `host` undefined: all interfaces. */
  readonly listen: { readonly host?: string | undefined; readonly port: number }
  /** Connections that may be open at once. Default 1000. */
  readonly maxConnections?: number | undefined
  /** Time for a whole request head. Default 10 s. */
  readonly headTimeoutMs?: number | undefined
  readonly log: Logger
}

export interface AdminServer {
  /** The address with the real port. Port 0 selects a free port. */
  readonly address: AddressInfo
  /** Accepts no more requests, ends event streams, waits up to `graceMs` for open requests, then closes all connections. */
  stop(graceMs: number): Promise<void>
}

const HEAD_TIMEOUT_MS = 10_000
/** Time for the head and the body of a request. */
const REQUEST_TIMEOUT_MS = 30_000

/** Opens the listener. Rejects with the error of the system: EADDRINUSE, EACCES. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { app, listen, maxConnections = 1000, headTimeoutMs = HEAD_TIMEOUT_MS, log } = options
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, 'incoming' in env ? { incoming: env.incoming } : undefined),
    // The adapter would otherwise replace the global Request and Response.
    overrideGlobalObjects: false,
    // The host in the URL of an HTTP/1.0 request without a Host field. Node rejects an HTTP/1.1 request without this field.
    hostname: 'localhost',
    serverOptions: {
      headersTimeout: headTimeoutMs,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: 60_000,
      // How often Node checks the timeouts; the default is 30 s.
      connectionsCheckingInterval: Math.min(1000, Math.ceil(headTimeoutMs / 4)),
    },
  }) as Server
  const connections = limitConnections(server, maxConnections)
  const refuse = createParserRefusal(log)
  server.on('clientError', (error, socket) => refuse(error, socket, connections.isIdle(socket as Socket)))
  server.listen({ port: listen.port, ...(listen.host === undefined ? {} : { host: listen.host }) })
  await once(server, 'listening')
  // The system cannot accept a connection (EMFILE, ENOBUFS). The listener stays open.
  server.on('error', error => log.error('the admin listener could not accept a connection', { err: error }))

  return {
    address: server.address() as AddressInfo,
    async stop(graceMs) {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      app.stop()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }
}

/** Limits the number of connections. A connection is idle while it has no request in progress. */
function limitConnections(server: Server, max: number): IdleConnections {
  const connections = new IdleConnections({ max })
  server.on('connection', (socket: Socket) => connections.add(socket))
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    connections.use(socket)
    response.once('close', () => connections.release(socket))
  })
  return connections
}
