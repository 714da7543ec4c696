// The backend behind the Telephone of `plugboard dev` when no port is exposed: one page that shows the way the
// request has come, and what to do next. An ordinary web server on a loopback port, as any user's app.

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

/** What the backend sees of the client, by the fields that Plugboard sets. */
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
