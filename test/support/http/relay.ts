// A TCP relay that simulates faults of networks: silence without a FIN, delay, a cut after N bytes, refusal. It does not
// interpret the bytes. Only the test ends a silence. When one end closes its side meanwhile, the other end does not notice
// it, as behind a NAT that has lost its table.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { resetSocket } from '../../../shared/net/reset-socket.ts'

export interface RelayOptions {
  readonly targetPort?: number
  readonly targetHost?: string
  /** A unix socket instead of a port. */
  readonly targetPath?: string
  /** Returns the name of the caller, from the first bytes that it sends. For `silence`. */
  readonly callerOf?: (first: Buffer) => string
  /** A fixed port, for a relay that starts again at the same port. */
  readonly port?: number
}

/** The faults of new connections. */
export interface RelayFaults {
  /** The delay of every chunk, in both directions. */
  delayMs: number
  /** The connection is reset after this many bytes to the target, or to the client. */
  cutAfterBytesToTarget: number
  cutAfterBytesToClient: number
}

class Pair {
  readonly sockets: readonly [client: Socket, target: Socket]
  caller = ''
  #silent = false
  /** The events during the silence that were not relayed yet, in order. */
  readonly #unheard: (() => void)[] = []
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(client: Socket, target: Socket, faults: Readonly<RelayFaults>) {
    this.sockets = [client, target]
    this.#forward(client, target, faults.delayMs, faults.cutAfterBytesToTarget)
    this.#forward(target, client, faults.delayMs, faults.cutAfterBytesToClient)
  }

  get over(): boolean {
    return this.sockets.every(socket => socket.destroyed)
  }

  setSilent(silent: boolean): void {
    this.#silent = silent
    if (!silent) for (const event of this.#unheard.splice(0)) event()
    for (const socket of this.sockets) {
      if (silent) socket.pause()
      else socket.resume()
    }
  }

  cut(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    for (const socket of this.sockets) reset(socket)
  }

  #forward(from: Socket, to: Socket, delayMs: number, cutAfterBytes: number): void {
    let passedBytes = 0
    from.on('data', (chunk: Buffer) => {
      const room = cutAfterBytes - passedBytes
      passedBytes += chunk.length
      this.#pass(delayMs, () => {
        if (chunk.length < room) this.#write(from, to, chunk)
        else to.write(chunk.subarray(0, room), () => this.cut())
      })
    })
    from.on('end', () => this.#pass(delayMs, () => to.end()))
    from.on('error', () => this.#pass(0, () => reset(to)))
    from.on('close', () => {
      if (!from.readableEnded) this.#pass(0, () => reset(to))
    })
  }

  #write(from: Socket, to: Socket, chunk: Buffer): void {
    if (to.destroyed || to.write(chunk)) return
    from.pause()
    to.once('drain', () => {
      if (!this.#silent) from.resume()
    })
  }

  #pass(delayMs: number, event: () => void): void {
    if (this.#silent) {
      this.#unheard.push(event)
    } else if (delayMs === 0) {
      event()
    } else {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        if (this.#silent) this.#unheard.push(event)
        else event()
      }, delayMs)
      this.#timers.add(timer)
    }
  }
}

/** Resets a TCP socket. A unix socket has no reset, so it is destroyed. */
function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy()
  else resetSocket(socket)
}

export class Relay {
  readonly faults: RelayFaults = {
    delayMs: 0,
    cutAfterBytesToTarget: Number.POSITIVE_INFINITY,
    cutAfterBytesToClient: Number.POSITIVE_INFINITY,
  }
  /** Connections accepted so far. */
  accepted = 0
  #blackholed = false
  #refusing = false
  readonly #silenced = new Set<string>()
  readonly #server: Server
  readonly #pairs = new Set<Pair>()

  private constructor(options: RelayOptions) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#join(client, options))
  }

  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    relay.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections that are open on at least one side. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Holds back all data on all connections, old and new, without notice to an end. `false` ends this. */
  blackhole(on: boolean): void {
    this.#blackholed = on
    for (const pair of this.#pairs) pair.setSilent(on)
  }

  /** Does the same as `blackhole` for one caller. */
  silence(caller: string, on: boolean): void {
    if (on) this.#silenced.add(caller)
    else this.#silenced.delete(caller)
    for (const pair of this.#pairs) if (pair.caller === caller) pair.setSilent(on)
  }

  /** Silences the existing connections for ever. New connections work. */
  silenceExisting(): void {
    for (const pair of this.#pairs) pair.setSilent(true)
  }

  /** Resets every new connection at once. */
  refuse(on: boolean): void {
    this.#refusing = on
  }

  /** Resets the oldest connection. */
  cutOldest(): void {
    const [oldest] = this.#pairs
    oldest?.cut()
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket, options: RelayOptions): void {
    this.accepted += 1
    if (this.#refusing) {
      resetSocket(client)
      return
    }
    const { targetPort = 0, targetHost: host = '127.0.0.1', targetPath: path, callerOf } = options
    const place = path === undefined ? { port: targetPort, host } : { path }
    const target = connect({ ...place, allowHalfOpen: true, noDelay: true })
    // This listener comes before those of the pair, because the first bytes decide whether the caller is silenced.
    if (callerOf !== undefined) {
      client.once('data', (first: Buffer) => {
        pair.caller = callerOf(first)
        if (this.#silenced.has(pair.caller)) pair.setSilent(true)
      })
    }
    const pair = new Pair(client, target, { ...this.faults })
    this.#pairs.add(pair)
    for (const socket of pair.sockets) {
      socket.once('close', () => {
        if (pair.over) this.#pairs.delete(pair)
      })
    }
    if (this.#blackholed) pair.setSilent(true)
  }
}
