// The port of `--inspect`: pages for people and JSON for programs, on this machine only. Each response forbids scripts, frames and foreign
// resources, and no response is cached.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ReplayProblem } from '@vera-stack/shared/inspect/replay/replayed-request.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import { refusalOf } from './inspector-guard.ts'
import { type InspectorResponse, InspectorRoutes } from './inspector-routes.ts'
import { PAGE_POLICY } from './pages/page-frame.ts'
import type { TelephoneInspector } from './telephone-inspector.ts'

const MAX_CONNECTIONS = 64
const HEAD_TIMEOUT_MS = 10_000
/** A replay takes up to 30 s. */
const REQUEST_TIMEOUT_MS = 60_000
const MAX_BODY_BYTES = 512 * 1024

const HEADERS = {
  'Content-Security-Policy': PAGE_POLICY,
  'X-Content-Type-Options': 'nosniff',
  // With no-referrer, browsers send `Origin: null` with the forms of these pages.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

export interface InspectorServerOptions {
  readonly inspector: TelephoneInspector
  /** A loopback address. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly log: Logger
}

export interface InspectorServer {
  /** The address with the real port. */
  readonly address: AddressInfo
  stop(): Promise<void>
}

/** Opens the port. Rejects with the error of the system: EADDRINUSE, EACCES. */
export async function startInspectorServer({
  inspector,
  listen,
  log,
}: InspectorServerOptions): Promise<InspectorServer> {
  const routes = new InspectorRoutes(inspector)
  const server = createServer(
    { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      handle(routes, request).then(
        result => send(request, response, result),
        (error: unknown) => {
          // The client closed the connection before the end of its body.
          if (error === request.errored) return
          log.error('the inspector could not respond', { err: error })
          send(request, response, text(500, 'The inspector failed. The log has the reason.'))
        },
      )
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  server.listen(listen)
  await once(server, 'listening')
  server.on('error', error => log.error('the inspector could not accept a connection', { err: error }))
  return {
    address: server.address() as AddressInfo,
    async stop() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function handle(routes: InspectorRoutes, request: IncomingMessage): Promise<InspectorResponse> {
  const refusal = refusalOf(request.headers)
  if (refusal !== undefined) return text(403, refusal)
  const url = URL.parse(request.url ?? '', 'http://localhost')
  if (url === null) return text(400, 'The target of the request is not a path.')
  const { method = '' } = request
  if (method === 'GET' || method === 'HEAD') return routes.read(url)
  if (method !== 'POST') return { ...text(405, 'Use GET or POST.'), fields: { Allow: 'GET, HEAD, POST' } }
  const body = await bodyOf(request)
  if (body === undefined) return text(413, 'The body is too large.')
  try {
    return await routes.write(url, body)
  } catch (error) {
    if (!(error instanceof ReplayProblem)) throw error
    return text(400, [error.path.join('.'), error.message].filter(part => part !== '').join(': '))
  }
}

/** Resolves with undefined for a body that is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const text = (status: number, message: string): InspectorResponse => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${message}\n`,
})

function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  { status, type, body, fields = {} }: InspectorResponse,
): void {
  const close = status >= 400 ? { Connection: 'close' } : {}
  response.writeHead(status, { ...HEADERS, 'Content-Type': type, ...fields, ...close })
  response.end(method === 'HEAD' ? undefined : body)
}
