// Reads the frames of a message. Makes all checks that do not need the state of the session, and calls one method of a
// FrameSink for each frame. Throws FrameError at the first byte that breaks the rules; the earlier frames of the message
// have been delivered by then. encode.ts is the inverse.

import { cutText } from '../../text/cut-text.ts'
import type { Fields } from '../streams/stream.ts'
import {
  BACKEND_TIME_BYTES,
  DETAIL_MAX_BYTES,
  FLAG_END,
  FLAG_TIMING,
  FRAME,
  FRAME_HEADER_BYTES,
  HEAD_PREFIX_BYTES,
  IGNORABLE_TYPE_BIT,
  OPEN_PREFIX_BYTES,
  PING_BYTES,
  WINDOW_BYTES,
} from './frame.ts'

/** Thrown when a peer breaks the protocol. The session ends with `reason`. The message may quote the peer, so it is cut. */
export class FrameError extends Error {
  readonly reason: 'protocol_error' | 'flow_control_error'

  constructor(message: string, reason: FrameError['reason'] = 'protocol_error') {
    super(cutText(message))
    this.name = 'FrameError'
    this.reason = reason
  }
}

/** Receives the frames. Body buffers are views into the message: a kept body keeps the whole message alive. */
export interface FrameSink {
  onDataFrame(streamId: number, body: Buffer, end: boolean): void
  /**
   * `body` is undefined when the frame has no body. `kind` is the number from the wire and may be unknown to this
   * version. `blockBytes` is the length of the head block on the wire.
   */
  onOpenFrame(
    streamId: number,
    kind: number,
    hops: number,
    block: string[],
    body: Buffer | undefined,
    end: boolean,
    blockBytes: number,
  ): void
  /** `backendUs`: time of the backend, microseconds; undefined when the frame does not state it. */
  onHeadFrame(
    streamId: number,
    status: number,
    block: string[],
    body: Buffer | undefined,
    end: boolean,
    blockBytes: number,
    backendUs: number | undefined,
  ): void
  onTrailersFrame(streamId: number, fields: Fields, blockBytes: number): void
  onResetFrame(streamId: number, code: number, detail: string): void
  onWindowFrame(streamId: number, bytes: number): void
  onPingFrame(opaque: Buffer): void
  onPongFrame(opaque: Buffer): void
  onControlFrame(payload: Buffer): void
  onByeFrame(code: number, detail: string): void
}

/** Delivers every frame of one message. `maxFrameBytes` is the payload limit that this end has announced. */
export function decodeMessage(message: Buffer, maxFrameBytes: number, sink: FrameSink): void {
  let offset = 0
  if (message.length === 0) throw new FrameError('empty message')
  while (offset < message.length) {
    if (message.length - offset < FRAME_HEADER_BYTES) throw new FrameError('truncated frame header')
    const type = message[offset] as number
    const flags = message[offset + 1] as number
    const length = readU24(message, offset + 2)
    const streamId = readU32(message, offset + 5)
    const start = offset + FRAME_HEADER_BYTES
    if (length > maxFrameBytes) throw new FrameError(`frame of ${length} bytes is over the limit`)
    if (start + length > message.length) throw new FrameError('truncated frame payload')
    deliver(message, type, flags, streamId, start, start + length, sink)
    offset = start + length
  }
}

function deliver(
  message: Buffer,
  type: number,
  flags: number,
  streamId: number,
  start: number,
  end: number,
  sink: FrameSink,
): void {
  switch (type) {
    case FRAME.data:
      needStream(streamId, 'DATA')
      sink.onDataFrame(streamId, message.subarray(start, end), (flags & FLAG_END) !== 0)
      return
    case FRAME.open: {
      needStream(streamId, 'OPEN')
      const bodyAt = blockEnd(message, start, OPEN_PREFIX_BYTES, end, 'OPEN')
      const block = readBlock(message, start + OPEN_PREFIX_BYTES, bodyAt)
      if (block.length < 3 || block.length % 2 === 0) throw new FrameError('OPEN with half a field')
      const body = bodyAt < end ? message.subarray(bodyAt, end) : undefined
      const kind = message[start] as number
      const hops = message[start + 1] as number
      const blockBytes = bodyAt - start - OPEN_PREFIX_BYTES
      sink.onOpenFrame(streamId, kind, hops, block, body, (flags & FLAG_END) !== 0, blockBytes)
      return
    }
    case FRAME.head: {
      needStream(streamId, 'HEAD')
      const timed = (flags & FLAG_TIMING) !== 0
      const prefixBytes = timed ? HEAD_PREFIX_BYTES + BACKEND_TIME_BYTES : HEAD_PREFIX_BYTES
      const bodyAt = blockEnd(message, start, prefixBytes, end, 'HEAD')
      const block = readBlock(message, start + prefixBytes, bodyAt)
      if (block.length % 2 === 0) throw new FrameError('HEAD with half a field')
      const status = readU16(message, start)
      if (status < 100 || status > 999) throw new FrameError(`HEAD with status ${status}`)
      const body = bodyAt < end ? message.subarray(bodyAt, end) : undefined
      const blockBytes = bodyAt - start - prefixBytes
      const backendUs = timed ? readU32(message, start + 2) : undefined
      sink.onHeadFrame(streamId, status, block, body, (flags & FLAG_END) !== 0, blockBytes, backendUs)
      return
    }
    case FRAME.trailers: {
      needStream(streamId, 'TRAILERS')
      const fields = readBlock(message, start, end)
      if (fields.length % 2 !== 0) throw new FrameError('TRAILERS with half a field')
      sink.onTrailersFrame(streamId, fields, end - start)
      return
    }
    case FRAME.reset:
      needStream(streamId, 'RESET')
      sink.onResetFrame(streamId, readReason(message, start, end, 'RESET'), readDetail(message, start, end))
      return
    case FRAME.window: {
      needStream(streamId, 'WINDOW')
      if (end - start !== WINDOW_BYTES) throw new FrameError('WINDOW of the wrong length')
      const bytes = readU32(message, start)
      if (bytes === 0) throw new FrameError('WINDOW of 0 bytes')
      sink.onWindowFrame(streamId, bytes)
      return
    }
    case FRAME.ping:
    case FRAME.pong: {
      needSession(streamId, 'PING')
      if (end - start !== PING_BYTES) throw new FrameError('PING of the wrong length')
      const opaque = message.subarray(start, end)
      if (type === FRAME.ping) sink.onPingFrame(opaque)
      else sink.onPongFrame(opaque)
      return
    }
    case FRAME.control:
      needSession(streamId, 'CONTROL')
      sink.onControlFrame(message.subarray(start, end))
      return
    case FRAME.bye:
      needSession(streamId, 'BYE')
      sink.onByeFrame(readReason(message, start, end, 'BYE'), readDetail(message, start, end))
      return
    default:
      if ((type & IGNORABLE_TYPE_BIT) === 0) throw new FrameError(`unknown frame type ${type}`)
  }
}

function needStream(streamId: number, name: string): void {
  if (streamId === 0) throw new FrameError(`${name} on stream 0`)
}

function needSession(streamId: number, name: string): void {
  if (streamId !== 0) throw new FrameError(`${name} on stream ${streamId}`)
}

/** Returns the offset at which the head block ends and the body begins. */
function blockEnd(message: Buffer, start: number, prefixBytes: number, end: number, name: string): number {
  if (end - start < prefixBytes) throw new FrameError(`${name} without its prefix`)
  const at = start + prefixBytes + readU24(message, start + prefixBytes - 3)
  if (at > end) throw new FrameError(`${name} with a head block that ends outside the frame`)
  return at
}

const LINE_BREAK = /[\r\n]/

/** Rejects CR and LF in a field, because they would split the head on the next HTTP hop. */
function readBlock(message: Buffer, start: number, end: number): string[] {
  const text = message.toString('latin1', start, end)
  if (LINE_BREAK.test(text)) throw new FrameError('line break in a head block')
  return text.split('\0')
}

function readReason(message: Buffer, start: number, end: number, name: string): number {
  if (end - start < 2) throw new FrameError(`${name} without a reason`)
  return readU16(message, start)
}

function readDetail(message: Buffer, start: number, end: number): string {
  return message.toString('utf8', start + 2, Math.min(end, start + 2 + DETAIL_MAX_BYTES))
}

function readU16(buffer: Buffer, offset: number): number {
  return ((buffer[offset] as number) << 8) | (buffer[offset + 1] as number)
}

function readU24(buffer: Buffer, offset: number): number {
  return (
    ((buffer[offset] as number) << 16) |
    ((buffer[offset + 1] as number) << 8) |
    (buffer[offset + 2] as number)
  )
}

function readU32(buffer: Buffer, offset: number): number {
  return (readU16(buffer, offset) * 0x1_0000 + readU16(buffer, offset + 2)) >>> 0
}
