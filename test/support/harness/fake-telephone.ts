// The Telephone's end of a tunnel, for tests of Plugboard: a real session, and the test responds to each of its streams. The
// parts of a request (head, body, end, abort) are promises, so that tests wait for them and never sleep.

import type {
  Announced,
  ControlMessage,
  ServiceAnnouncement,
} from '@vera-stack/shared/protocol/control/control.ts'
import { Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { Fields, Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { eventually, within } from '../deadline.ts'

const PATIENCE_MS = 10_000

export class FakeCall implements StreamEvents {
  readonly opening: Opening
  readonly stream: Stream
  /** True when credit is returned at once. False: the test calls `stream.consume`. */
  autoConsume = true
  readonly #chunks: Buffer[] = []
  readonly #ended = Promise.withResolvers<{ body: Buffer; trailers: Fields | undefined }>()
  readonly #aborted = Promise.withResolvers<TunnelError>()
  #wake: (() => void)[] = []
  #writable: (() => void)[] = []

  constructor(stream: Stream, opening: Opening) {
    this.stream = stream
    this.opening = opening
    // A test may wait for only one of these promises. Marks rejections of the others as handled.
    this.#ended.promise.catch(() => undefined)
  }

  get receivedBytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Resolves with the whole request body. Rejects when the stream aborts first. */
  get ended(): Promise<{ body: Buffer; trailers: Fields | undefined }> {
    return within(this.#ended.promise, PATIENCE_MS, 'the request ends')
  }

  get aborted(): Promise<TunnelError> {
    return within(this.#aborted.promise, PATIENCE_MS, 'the stream aborts')
  }

  /** Returns the first value of a request field. */
  field(name: string): string | undefined {
    return this.fields(name)[0]
  }

  fields(name: string): string[] {
    const values: string[] = []
    const { fields } = this.opening
    for (let index = 0; index < fields.length; index += 2) {
      if (fields[index]?.toLowerCase() === name.toLowerCase()) values.push(fields[index + 1] as string)
    }
    return values
  }

  /** Sends a whole response. It has Content-Length only when `fields` has it. */
  respond(status: number, body = '', fields: Fields = ['Content-Type', 'text/plain'], statusText = ''): void {
    this.stream.respond({ status, statusText, fields })
    if (body !== '') this.stream.write(Buffer.from(body))
    this.stream.end()
  }

  async untilReceived(bytes: number): Promise<void> {
    while (this.receivedBytes < bytes) {
      const more = new Promise<void>(resolve => this.#wake.push(resolve))
      await within(more, PATIENCE_MS, `${bytes} bytes arrive`, () => `${this.receivedBytes} have`)
    }
  }

  untilWritable(): Promise<void> {
    const writable = new Promise<void>(resolve => this.#writable.push(resolve))
    return within(writable, PATIENCE_MS, 'the stream has room')
  }

  onHead(): void {
    throw new Error('an acceptor gets no head')
  }

  onData(chunk: Buffer): void {
    this.#chunks.push(chunk)
    if (this.autoConsume) this.stream.consume(chunk.length)
    for (const wake of this.#wake.splice(0)) wake()
  }

  onEnd(trailers: Fields | undefined): void {
    this.#ended.resolve({ body: this.body, trailers })
  }

  onWritable(): void {
    for (const wake of this.#writable.splice(0)) wake()
  }

  onAbort(error: TunnelError): void {
    this.#ended.reject(error)
    this.#aborted.resolve(error)
  }
}

export class FakeTelephone {
  readonly session: Session
  /** Responds to each call. Without it, the calls wait in `nextCall`. */
  handler: ((call: FakeCall) => void) | undefined
  readonly calls: FakeCall[] = []
  /** All control messages except those of the session itself. */
  readonly controls: ControlMessage[] = []
  #announcements = 0
  readonly #waiting: ((call: FakeCall) => void)[] = []
  readonly #unclaimed: FakeCall[] = []
  readonly closed: Promise<TunnelError>

  constructor(
    transport: Transport,
    identity: { name?: string; instance?: string; startedAt?: number } = {},
    limits: Partial<SessionLimits> = {},
  ) {
    const closed = Promise.withResolvers<TunnelError>()
    this.closed = closed.promise
    this.session = new Session({
      transport,
      role: 'dialer',
      identity: { agent: 'fake/1', name: 'fake', instance: 'instance-1', startedAt: 1, ...identity },
      limits,
      events: {
        onReady: () => undefined,
        onStream: (stream, opening) => this.#called(new FakeCall(stream, opening)),
        onControl: message => this.controls.push(message),
        onPeerDrain: () => undefined,
        onClose: error => closed.resolve(error),
      },
    })
  }

  ready(): Promise<true> {
    return eventually('the session is open', () => (this.session.state === 'open' ? true : undefined))
  }

  /** Announces services and waits for the response to this announcement. */
  announce(
    ...services: (Partial<ServiceAnnouncement> & { service: string })[]
  ): Promise<Announced['results']> {
    this.#announcements += 1
    const id = this.#announcements
    const filled = services.map(service => ({
      health: 'up' as const,
      weight: 100,
      version: '',
      labels: {},
      ...service,
    }))
    this.session.sendControl({ type: 'announce', id, services: filled })
    return eventually('the announcement is answered', () =>
      this.controls.filter(message => message.type === 'announced').find(message => message.id === id),
    ).then(({ results }) => results)
  }

  /** Returns the newest control message of a type. */
  control<Type extends ControlMessage['type']>(type: Type): Promise<Extract<ControlMessage, { type: Type }>> {
    return eventually(`a message ${type}`, () =>
      this.controls.findLast(
        (message): message is Extract<ControlMessage, { type: Type }> => message.type === type,
      ),
    )
  }

  /** Resolves with the next call that no handler has taken. */
  nextCall(): Promise<FakeCall> {
    const call = this.#unclaimed.shift()
    if (call !== undefined) return Promise.resolve(call)
    const arrives = new Promise<FakeCall>(resolve => this.#waiting.push(resolve))
    return within(arrives, PATIENCE_MS, 'a stream is opened')
  }

  #called(call: FakeCall): StreamEvents {
    this.calls.push(call)
    if (this.handler !== undefined) this.handler(call)
    else {
      const waiting = this.#waiting.shift()
      if (waiting === undefined) this.#unclaimed.push(call)
      else waiting(call)
    }
    return call
  }
}
