// The admin listener: the application behind Node's HTTP server, with limits against slow and endless requests.

import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { AdminApp } from './admin-app.ts'

export interface AdminServer {
  /** The real port, also when 0 was asked for. */
  readonly address: AddressInfo
  /** Takes no more requests, ends event streams, waits for the rest up to `graceMs`, then cuts. */
  stop(graceMs: number): Promise<void>
}

/** `listen.host` undefined: all interfaces. Rejects with the system's error: EADDRINUSE, EACCES. */
export async function startAdminServer(
  app: AdminApp,
  listen: { readonly host?: string | undefined; readonly port: number },
): Promise<AdminServer> {
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, 'incoming' in env ? { incoming: env.incoming } : undefined),
    // Otherwise Request and Response of the whole process would be replaced.
    overrideGlobalObjects: false,
    serverOptions: { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 60_000 },
  }) as Server
  server.maxConnections = 1000
  server.listen({ port: listen.port, ...(listen.host === undefined ? {} : { host: listen.host }) })
  await once(server, 'listening')

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
