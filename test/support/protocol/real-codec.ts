// Adapts the real codec to the interface of the twin: frames to a message, and a message to frames. It maps each call of the
// sink and of the outbox to the form of a frame in the specification.

import { Outbox } from '@vera-stack/shared/protocol/outbox.ts'
import { decodeMessage, FrameError, type FrameSink } from '@vera-stack/shared/protocol/wire/decode.ts'
import { type StreamKind, streamKindOfNumber } from '@vera-stack/shared/protocol/wire/stream-kind.ts'
import { ScriptedTransport } from '../session/scripted-transport.ts'
import type { Frame } from './twin-codec.ts'

const hex = (bytes: Buffer | undefined) => bytes?.toString('hex') ?? ''

/** Records every frame. */
export function recordingSink(): { frames: Frame[]; sink: FrameSink } {
  const frames: Frame[] = []
  const sink: FrameSink = {
    onDataFrame: (stream, body, end) => frames.push({ type: 'DATA', stream, body: hex(body), end }),
    onOpenFrame: (stream, kind, hops, strings, body, end) =>
      frames.push({ type: 'OPEN', stream, kind, hops, strings: [...strings], body: hex(body), end }),
    onHeadFrame: (stream, status, strings, body, end, _blockBytes, backendUs) => {
      const timing = backendUs === undefined ? {} : { backendUs }
      frames.push({ type: 'HEAD', stream, status, ...timing, strings: [...strings], body: hex(body), end })
    },
    onTrailersFrame: (stream, fields) => frames.push({ type: 'TRAILERS', stream, strings: [...fields] }),
    onResetFrame: (stream, reason, detail) => frames.push({ type: 'RESET', stream, reason, detail }),
    onWindowFrame: (stream, credit) => frames.push({ type: 'WINDOW', stream, credit }),
    onPingFrame: opaque => frames.push({ type: 'PING', opaque: hex(opaque) }),
    onPongFrame: opaque => frames.push({ type: 'PONG', opaque: hex(opaque) }),
    onControlFrame: payload => frames.push({ type: 'CONTROL', text: payload.toString('utf8') }),
    onByeFrame: (reason, detail) => frames.push({ type: 'BYE', reason, detail }),
  }
  return { frames, sink }
}

/** Reads a message like `readMessage` of the twin. `broken` is the text of the FrameError. Other exceptions are not caught. */
export function decodeRecorded(
  message: Buffer,
  maxFrameBytes: number,
): { frames: Frame[]; broken: string | undefined } {
  const { frames, sink } = recordingSink()
  try {
    decodeMessage(message, maxFrameBytes, sink)
  } catch (error) {
    if (error instanceof FrameError) return { frames, broken: error.message }
    throw error
  }
  return { frames, broken: undefined }
}

/** Puts a frame into an outbox with the calls of a session. */
export function putFrame(outbox: Outbox, frame: Frame): void {
  switch (frame.type) {
    case 'DATA':
      if (frame.body === '' && frame.end) outbox.end(frame.stream)
      else outbox.data(frame.stream, Buffer.from(frame.body, 'hex'), frame.end)
      return
    case 'OPEN': {
      const [service, method, target, ...fields] = frame.strings as [string, string, string, ...string[]]
      const kind = streamKindOfNumber(frame.kind) as StreamKind
      const whole = frame.end && frame.body === ''
      outbox.open(frame.stream, { kind, hops: frame.hops, service, method, target, fields }, whole)
      if (!whole) putRiding(outbox, frame)
      return
    }
    case 'HEAD': {
      const [statusText, ...fields] = frame.strings as [string, ...string[]]
      const final = frame.status >= 200 || frame.status === 101
      const { status, backendUs } = frame
      outbox.head(frame.stream, { status, statusText, fields, backendUs }, final)
      putRiding(outbox, frame)
      return
    }
    case 'TRAILERS':
      outbox.trailers(frame.stream, frame.strings)
      return
    case 'RESET':
      outbox.reset(frame.stream, frame.reason, frame.detail)
      return
    case 'WINDOW':
      outbox.window(frame.stream, frame.credit)
      return
    case 'PING':
      outbox.ping(Buffer.from(frame.opaque, 'hex'))
      return
    case 'PONG':
      outbox.pong(Buffer.from(frame.opaque, 'hex'))
      return
    case 'CONTROL':
      outbox.control(frame.text)
      return
    case 'BYE':
      outbox.bye(frame.reason, frame.detail)
  }
}

function putRiding(outbox: Outbox, frame: { stream: number; body: string; end: boolean }): void {
  if (frame.body !== '') outbox.data(frame.stream, Buffer.from(frame.body, 'hex'), frame.end)
  else if (frame.end) outbox.end(frame.stream)
}

/** Returns the messages that an outbox sends for `frames` of one turn. */
export function encodeThroughOutbox(frames: Frame[], maxFrameBytes = 262_144): Buffer[] {
  const transport = new ScriptedTransport()
  const outbox = new Outbox(transport, () => undefined)
  outbox.maxFrameBytes = maxFrameBytes
  outbox.statesTiming = true
  for (const frame of frames) putFrame(outbox, frame)
  outbox.flush()
  return transport.sent
}
