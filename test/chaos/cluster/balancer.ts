// A simple load balancer: it sends each connection to the next replica in turn whose `/readyz` responds with 200. It does not
// parse the bytes and retries no request, so the client sees each failure. It stores the replica of each connection, so that
// a failure can be assigned to that replica.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { resetSocket } from '../../../shared/net/reset-socket.ts'
import { send } from '../../support/http/http-client.ts'

/** The time between two checks of a replica, and the time limit of its response, ms. */
export const CHECK_INTERVAL_MS = 500
export const CHECK_TIMEOUT_MS = 1000

export interface Target {
  readonly name: string
  readonly port: number
  readonly adminPort: number
}

interface Checked extends Target {
  healthy: boolean
}

export class Balancer {
  readonly #targets: Checked[]
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #chosen = new Map<number, string>()
  readonly #checks: Promise<void>[]
  readonly #watchers = new Set<() => void>()
  readonly #stopping = new AbortController()
  #turn = 0

  private constructor(targets: readonly Target[]) {
    this.#targets = targets.map(target => ({ ...target, healthy: false }))
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#join(client))
    this.#checks = this.#targets.map(target => this.#watch(target))
  }

  static async start(targets: readonly Target[]): Promise<Balancer> {
    const balancer = new Balancer(targets)
    await once(balancer.#server.listen(0, '127.0.0.1'), 'listening')
    return balancer
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  isHealthy(name: string): boolean {
    return this.#targets.some(target => target.name === name && target.healthy)
  }

  /**
   * Returns the replica for the connection from a client's port, and removes the entry. Undefined: no replica was available.
   */
  takeReplicaOf(clientPort: number): string | undefined {
    const name = this.#chosen.get(clientPort)
    this.#chosen.delete(clientPort)
    return name
  }

  /** Resolves when a check finds the replica in this state; at once when it is already in it. */
  untilHealth(name: string, healthy: boolean): Promise<void> {
    return new Promise(resolve => {
      const look = (): void => {
        if (this.isHealthy(name) !== healthy) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await Promise.all([once(this.#server, 'close'), ...this.#checks])
  }

  #join(client: Socket): void {
    this.#track(client)
    const target = this.#next()
    if (target === undefined) {
      resetSocket(client)
      return
    }
    if (client.remotePort !== undefined) this.#chosen.set(client.remotePort, target.name)
    const far = connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#track(far)
    client.pipe(far)
    far.pipe(client)
    for (const [socket, other] of [
      [client, far],
      [far, client],
    ] as const) {
      socket.on('error', () => resetSocket(other))
      socket.on('close', () => {
        if (!socket.readableEnded) resetSocket(other)
      })
    }
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #next(): Checked | undefined {
    const healthy = this.#targets.filter(target => target.healthy)
    this.#turn += 1
    return healthy[this.#turn % healthy.length]
  }

  async #watch(target: Checked): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const healthy = await isReady(target)
      if (healthy !== target.healthy) {
        target.healthy = healthy
        for (const watcher of [...this.#watchers]) watcher()
      }
      await pause(CHECK_INTERVAL_MS, signal)
    }
  }
}

async function isReady({ adminPort: port }: Target): Promise<boolean> {
  try {
    return (await send({ port, path: '/readyz', timeoutMs: CHECK_TIMEOUT_MS })).status === 200
  } catch {
    // The replica refuses the connection or does not respond, so it is not ready.
    return false
  }
}

/** Resolves after `ms`, or earlier when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
