// The backends of the pictures, in this process.

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { freePort } from '../support/process/free-port.ts'
import { type Random, seededRandom } from '../support/seeded-random.ts'
import type { BackendKind } from './catalogue.ts'

const ITEMS = JSON.stringify({ items: Array.from({ length: 40 }, (_, id) => ({ id, name: `item ${id}` })) })

/** `failing` fails each request. */
type Kind = BackendKind | 'failing'

export class Backends {
  readonly #ports = new Map<Kind, number>()
  readonly #servers: Server[] = []

  async start(): Promise<void> {
    const random = seededRandom(1)
    for (const kind of ['quick', 'slow', 'flaky', 'failing'] as const) {
      const server = createServer((request, response) => {
        request.resume().once('end', () => respond(kind, response, random))
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      this.#servers.push(server)
      this.#ports.set(kind, (server.address() as AddressInfo).port)
    }
    this.#ports.set('closed', await freePort())
  }

  portOf(kind: Kind): number {
    const port = this.#ports.get(kind)
    if (port === undefined) throw new Error(`the backend ${kind} has not started`)
    return port
  }

  stop(): void {
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
  }
}

function respond(kind: Kind, response: ServerResponse, random: Random): void {
  const status =
    kind === 'failing' || (kind === 'flaky' && random() < 0.3) ? 503 : random() < 0.04 ? 404 : 200
  const delayMs = kind === 'slow' ? 150 + 500 * random() : 3 + 25 * random()
  const timer = setTimeout(() => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(
      status === 200 ? ITEMS.slice(0, Math.ceil(random() * ITEMS.length)) : '{"error":"out of stock"}',
    )
  }, delayMs)
  response.once('close', () => clearTimeout(timer))
}
