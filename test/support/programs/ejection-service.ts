// A service with one Telephone for each backend of the test, for tests of passive ejection. A backend fails as the test requests, and
// counts its requests.

import { Agent, createServer, get, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach } from 'vitest'
import type { EjectionsBody, TelephonePageBody } from '../../../plugboard/admin/api-types.ts'
import { type ConnectOptions, connect, type TelephoneHandle } from '../../../telephone/index.ts'
import type { Stack } from './stack.ts'

/** Requests that are open at the same time. */
export const CLIENTS = 8

/** A backend whose behaviour a test changes. `status` undefined: it closes its port. */
export class FailingBackend {
  status: number | undefined
  /** The status of the health check. */
  health = 200
  /** Requests other than health checks. */
  received = 0
  /** The time of the last response to a health check with another status than the one before. */
  healthChangedAtMs = 0
  #sentHealth = 200
  /** Set: called instead of the response. */
  respond: ((response: ServerResponse) => void) | undefined
  readonly #server: Server
  port = 0

  constructor(status: number | undefined, body = 'hello') {
    this.status = status
    this.#server = createServer(({ url }, response) => {
      if (url === '/healthz') {
        if (this.health !== this.#sentHealth) this.healthChangedAtMs = performance.now()
        this.#sentHealth = this.health
        response.writeHead(this.health).end()
        return
      }
      this.received += 1
      if (this.respond === undefined) response.writeHead(this.status ?? 500).end(body)
      else this.respond(response)
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
    if (this.status === undefined) await this.close()
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }
}

export interface SentRequests {
  requests: number
  /** Responses with a status of 500 or more. */
  failed: number
}

export class EjectionService {
  readonly name: string
  backends: FailingBackend[] = []
  readonly #stack: Stack
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  #telephones: TelephoneHandle[] = []

  constructor(stack: Stack, name: string) {
    this.#stack = stack
    this.name = name
  }

  /** Connects a Telephone for each status of a backend. A backend without a status does not run. */
  async serve(
    statuses: readonly (number | undefined)[],
    policy: object = {},
    options: Partial<ConnectOptions> = {},
  ): Promise<void> {
    const { plugboard, token } = this.#stack
    await plugboard.addService(this.name, policy)
    await plugboard.addRoute(`${this.name}.localhost`, this.name)
    this.backends = await Promise.all(statuses.map(status => new FailingBackend(status).listen()))
    this.#telephones = await Promise.all(
      this.backends.map(({ port }, index) =>
        connect({
          plugboard: plugboard.url,
          token,
          service: this.name,
          target: port,
          name: `${this.name}-${index}`,
          tunnels: 1,
          onEvent: () => undefined,
          ...options,
        } as ConnectOptions),
      ),
    )
  }

  /** Resolves with the status. */
  request(): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = {
        port: this.#stack.port,
        agent: this.#agent,
        headers: { host: `${this.name}.localhost` },
        timeout: 30_000,
      }
      get(options, response => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
      }).on('error', reject)
    })
  }

  /** Sends requests from several clients until `isOver` returns true for the number of requests so far. */
  async sendUntil(isOver: (requests: number) => boolean): Promise<SentRequests> {
    const result = { requests: 0, failed: 0 }
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (!isOver(result.requests)) {
          result.requests += 1
          if ((await this.request()) >= 500) result.failed += 1
        }
      }),
    )
    return result
  }

  send(requests: number): Promise<SentRequests> {
    return this.sendUntil(sent => sent >= requests)
  }

  /** Returns the states of the processes, by the index of the backend. A process that was never ejected has none. */
  async states(): Promise<Record<number, string>> {
    const { items } = await this.#stack.plugboard.call<EjectionsBody>('GET', '/v1/ejections')
    const own = items.filter(row => row.service === this.name)
    return Object.fromEntries(
      own.map(({ telephone, state }) => [telephone.slice(this.name.length + 1), state]),
    )
  }

  /** Returns the health that the Telephone of a backend has announced. */
  async healthOf(index: number): Promise<string | undefined> {
    const path = `/v1/telephones?service=${this.name}`
    const { items } = await this.#stack.plugboard.call<TelephonePageBody>('GET', path)
    return items.find(({ name }) => name === `${this.name}-${index}`)?.services[0]?.health
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    await Promise.all(this.#telephones.map(telephone => telephone.close(0)))
    await Promise.all(this.backends.map(backend => backend.close()))
  }
}

/** Returns the service of the running test. Each test has its own. */
export function useEjectionService(stack: Stack): () => EjectionService {
  let count = 0
  let service: EjectionService
  beforeEach(() => {
    count += 1
    service = new EjectionService(stack, `ejection-${count}`)
  })
  afterEach(() => service.close())
  return () => service
}
