// The backend of `plugboard dev` when no port is exposed: an ordinary web server on a loopback port. Its one page shows the
// path of the request, and the next commands.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '@vera-stack/shared/log.ts'
import { welcomePage } from './welcome-page.ts'

export interface WelcomeApp {
  readonly port: number
  close(): Promise<void>
}

export async function startWelcomeApp(
  commands: readonly { what: string; command: string }[],
  log: Logger,
): Promise<WelcomeApp> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    const page = welcomePage({ request: seen(request), commands })
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'cache-control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : page)
  })
  await listening(server)
  server.on('error', error => log.error('the welcome app could not accept a connection', { err: error }))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Returns the properties of the client that the backend sees in the header fields of Plugboard. */
function seen({ headers, method = '', url = '' }: IncomingMessage): [string, string][] {
  const shown = [
    'host',
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-host',
    'x-request-id',
    'user-agent',
  ]
  const fields = shown.flatMap(name => {
    const value = headers[name]
    return value === undefined ? [] : [[name, String(value)] as [string, string]]
  })
  return [['request', `${method} ${url}`], ...fields]
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve())
  })
}
