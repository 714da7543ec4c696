// One real Session, with the test as its peer. The test sends single frames, also frames that a correct session would never
// send, and checks the exact bytes that our session sends. Only the test advances the clock.

import type { ControlMessage, Hello } from '@vera-stack/shared/protocol/control/control.ts'
import {
  Session,
  type SessionEvents,
  type SessionLimits,
  type SessionOptions,
} from '@vera-stack/shared/protocol/session.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { ManualClock } from '../manual-clock.ts'
import { type Frame, type FrameName, messageOf, readMessage } from '../protocol/twin-codec.ts'
import { RecordedStream } from './recorded-stream.ts'
import { ScriptedTransport } from './scripted-transport.ts'

const LARGEST_FRAME = 0xff_ffff

export const PEER_HELLO: Hello = {
  type: 'hello',
  versions: [1, 1],
  features: [],
  agent: 'wire-peer/1',
  instance: 'wire-peer-1',
  name: 'wire peer',
  startedAt: 0,
  initialWindowBytes: 262_144,
  maxStreams: 4096,
  maxFrameBytes: 262_144,
}

export interface WirePeerOptions {
  /** Options of the session under test. */
  readonly role?: SessionOptions['role']
  readonly limits?: Partial<SessionLimits>
  readonly held?: HeldBytes
  readonly versions?: readonly [number, number]
  /** Further actions of the session's owner, which records all events. `onStream` may return other event handlers. */
  readonly events?: Partial<Omit<SessionEvents, 'onStream'>> & {
    onStream?(stream: Stream, opening: Opening, recorded: RecordedStream): StreamEvents | undefined
  }
}

export class WirePeer {
  readonly transport = new ScriptedTransport()
  readonly clock = new ManualClock()
  readonly session: Session
  readyVersion: number | undefined
  readonly controls: ControlMessage[] = []
  readonly peerDrains: number[] = []
  readonly closes: TunnelError[] = []
  /** Streams that this peer has opened and that the session has passed to its owner, by id. */
  readonly accepted = new Map<number, RecordedStream>()
  #read = 0

  constructor(options: WirePeerOptions = {}) {
    const { events = {} } = options
    this.session = new Session({
      transport: this.transport,
      role: options.role ?? 'acceptor',
      identity: {
        agent: 'test/1',
        instance: 'test-instance',
        name: 'test',
        startedAt: 1,
        ...(options.versions === undefined ? {} : { versions: options.versions }),
      },
      clock: this.clock,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      held: options.held,
      events: {
        onReady: (peer, version) => {
          this.readyVersion = version
          events.onReady?.(peer, version)
        },
        onStream: (stream, opening) => {
          const recorded = new RecordedStream()
          recorded.stream = stream
          recorded.opening = opening
          this.accepted.set(stream.id, recorded)
          return events.onStream?.(stream, opening, recorded) ?? recorded
        },
        onControl: message => {
          this.controls.push(message)
          events.onControl?.(message)
        },
        onPeerDrain: graceMs => {
          this.peerDrains.push(graceMs)
          events.onPeerDrain?.(graceMs)
        },
        onClose: error => {
          this.closes.push(error)
          events.onClose?.(error)
        },
      },
    })
  }

  /** Sends our hello with `changes`, and removes the session's hello and first ping from the record. */
  async greet(changes: Record<string, unknown> = {}): Promise<this> {
    this.control({ ...PEER_HELLO, ...changes })
    await this.turn()
    return this
  }

  /** Delivers one message with these frames. */
  send(...frames: Frame[]): void {
    this.transport.receive(messageOf(...frames))
  }

  control(message: object): void {
    this.send({ type: 'CONTROL', text: JSON.stringify(message) })
  }

  /** Waits until the session has sent its batch. Resolves with the frames since the last call. */
  async turn(): Promise<Frame[]> {
    await loopTurn()
    const frames = this.transport.sent.slice(this.#read).flatMap(message => {
      const { frames, broken } = readMessage(message, LARGEST_FRAME)
      if (broken !== undefined) throw new Error(`the session sent a message that violates ${broken}`)
      return frames
    })
    this.#read = this.transport.sent.length
    return frames
  }

  /** Does the same as `turn`, and resolves with the frames of one type only. */
  async turnOf<Name extends FrameName>(name: Name): Promise<Extract<Frame, { type: Name }>[]> {
    const frames = await this.turn()
    return frames.filter((frame): frame is Extract<Frame, { type: Name }> => frame.type === name)
  }

  /** Resolves with the reason of the session's end and its BYE, if any, when the owner has been notified. */
  async end(): Promise<{ reason: string | undefined; bye: number | undefined }> {
    const byes = await this.turnOf('BYE')
    await loopTurn()
    return { reason: this.closes[0]?.reason, bye: byes.at(-1)?.reason }
  }

  /** Makes the session open a stream, and records the response. */
  open(opening: Partial<Opening> = {}, end = true): RecordedStream {
    const recorded = new RecordedStream()
    const whole: Opening = {
      kind: 'http',
      hops: 0,
      service: 'app',
      method: 'GET',
      target: '/',
      fields: [],
      ...opening,
    }
    recorded.opening = whole
    recorded.stream = this.session.open(whole, recorded, end)
    return recorded
  }
}

/** Resolves with an open session with an empty record. */
export function greetedPeer(options: WirePeerOptions = {}, hello: Record<string, unknown> = {}) {
  return new WirePeer(options).greet(hello)
}

/** Returns OPEN of a stream of kind http. */
export function openFrame(
  stream: number,
  changes: Partial<Extract<Frame, { type: 'OPEN' }>> = {},
): Extract<Frame, { type: 'OPEN' }> {
  const strings = ['app', 'GET', '/']
  return { type: 'OPEN', stream, kind: 1, hops: 0, strings, body: '', end: false, ...changes }
}

/** Returns HEAD 200 without fields. */
export function headFrame(
  stream: number,
  changes: Partial<Extract<Frame, { type: 'HEAD' }>> = {},
): Extract<Frame, { type: 'HEAD' }> {
  return { type: 'HEAD', stream, status: 200, strings: ['OK'], body: '', end: false, ...changes }
}

export function dataFrame(stream: number, bytes: number, end = false): Extract<Frame, { type: 'DATA' }> {
  return { type: 'DATA', stream, body: 'ab'.repeat(bytes), end }
}

export function loopTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
