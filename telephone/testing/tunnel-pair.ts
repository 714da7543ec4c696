// Two real sessions for tests, over transports that are joined in memory (test/support creates these). The side of Plugboard is a
// small client.

import { createHash } from 'node:crypto'
import { Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type {
  Fields,
  Opening,
  Stream,
  StreamEvents,
  StreamResponseHead,
} from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'

export interface TunnelPair {
  readonly plugboard: Session
  readonly telephone: Session
  /** Cuts the tunnel. */
  cut(): void
  close(): Promise<void>
}

/** Two joined transports: `a` of the Telephone and `b` of Plugboard. */
export interface Link {
  readonly a: Transport
  readonly b: Transport
  cut(): void
}

/** Resolves after the hello of both ends. `onStream` and `held` belong to the Telephone. */
export async function tunnelPair(
  link: Link,
  onStream: (stream: Stream, opening: Opening) => StreamEvents,
  limits: Partial<SessionLimits> = {},
  held?: HeldBytes,
): Promise<TunnelPair> {
  const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const closed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const session = (number: 0 | 1, name: string): Session =>
    new Session({
      transport: number === 0 ? link.a : link.b,
      role: number === 0 ? 'dialer' : 'acceptor',
      identity: { agent: 'test', instance: `${name}-instance`, name, startedAt: 1 },
      limits,
      held: number === 0 ? held : undefined,
      events: {
        onReady: () => ready[number]?.resolve(),
        onStream,
        onControl: () => undefined,
        onPeerDrain: () => undefined,
        onClose: () => closed[number]?.resolve(),
      },
    })
  const telephone = session(0, 'telephone')
  const plugboard = session(1, 'plugboard')
  await Promise.all(ready.map(one => one.promise))
  return {
    plugboard,
    telephone,
    cut: () => link.cut(),
    async close() {
      plugboard.close('going_away')
      telephone.close('going_away')
      await Promise.all(closed.map(one => one.promise))
    },
  }
}

/** One stream from the view of its opener. */
export class Caller implements StreamEvents {
  readonly stream: Stream
  readonly heads: StreamResponseHead[] = []
  body = ''
  bytes = 0
  trailers: Fields | undefined
  ended = false
  error: TunnelError | undefined
  writable = true
  /** False: received bytes return no credit. */
  reading = true
  #unread = 0
  #waiting: (() => void)[] = []

  constructor(session: Session, opening: Partial<Opening>, end = true) {
    const whole = {
      kind: 'http',
      hops: 0,
      service: 'web',
      method: 'GET',
      target: '/',
      fields: ['Host', 'a.test'],
    }
    this.stream = session.open({ ...whole, ...opening } as Opening, this, end)
  }

  get status(): number | undefined {
    return this.heads.at(-1)?.status
  }

  get over(): boolean {
    return this.ended || this.error !== undefined
  }

  send(text: string): this {
    this.writable = this.stream.write(Buffer.from(text, 'latin1'))
    return this
  }

  read(): void {
    this.reading = true
    this.stream.consume(this.#unread)
    this.#unread = 0
  }

  async until(condition: (caller: Caller) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  onHead(head: StreamResponseHead): void {
    this.heads.push(head)
    this.#wake()
  }

  onData(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.body.length < 1_000_000) this.body += chunk.toString('latin1')
    if (this.reading) this.stream.consume(chunk.length)
    else this.#unread += chunk.length
    this.#wake()
  }

  onEnd(trailers: Fields | undefined): void {
    this.ended = true
    this.trailers = trailers
    this.#wake()
  }

  onWritable(): void {
    this.writable = true
    this.#wake()
  }

  onAbort(error: TunnelError): void {
    this.error = error
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/**
 * Sends a body to a backend that echoes it, with a reader that stalls repeatedly. Resolves with the hashes of the sent and of the
 * received bytes.
 */
export async function echoLarge(
  session: Session,
  total: number,
): Promise<{ caller: Caller; sent: string; received: string }> {
  const sent = createHash('sha256')
  const received = createHash('sha256')
  const fields = ['Host', 'h', 'Content-Length', String(total)]
  const caller = new Caller(session, { method: 'POST', fields }, false)
  const onData = caller.onData.bind(caller)
  caller.onData = chunk => {
    received.update(chunk)
    if (caller.bytes > total / 3 && caller.bytes < total / 2) caller.reading = false
    onData(chunk)
    if (!caller.reading) setImmediate(() => caller.read())
  }
  for (let at = 0; at < total; at += 65_536) {
    const chunk = Buffer.alloc(65_536)
    for (let index = 0; index < chunk.length; index += 4)
      chunk.writeUInt32LE(((at + index) * 2654435761) >>> 0, index)
    sent.update(chunk)
    caller.writable = caller.stream.write(chunk)
    await caller.until(c => c.writable)
  }
  caller.stream.end()
  await caller.until(c => c.over)
  return { caller, sent: sent.digest('hex'), received: received.digest('hex') }
}
