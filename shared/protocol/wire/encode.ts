// Writes frames into buffers. The functions have no state; outbox.ts calls them for its batch. decode.ts is the inverse.

import type { Fields } from '../streams/stream.ts'
import { FRAME_HEADER_BYTES } from './frame.ts'

/** Writes a frame header at `offset`. Returns the offset of the payload, which follows the header. */
export function writeFrameHeader(
  buffer: Buffer,
  offset: number,
  type: number,
  flags: number,
  length: number,
  streamId: number,
): number {
  buffer[offset] = type
  buffer[offset + 1] = flags
  writeU24(buffer, offset + 2, length)
  writeU32(buffer, offset + 5, streamId)
  return offset + FRAME_HEADER_BYTES
}

/** Updates the length in the header of a frame that has grown. */
export function patchFrameLength(buffer: Buffer, frameOffset: number, length: number): void {
  writeU24(buffer, frameOffset + 2, length)
}

/** Adds flags to a frame that is already written. */
export function patchFrameFlags(buffer: Buffer, frameOffset: number, flags: number): void {
  buffer[frameOffset + 1] = (buffer[frameOffset + 1] ?? 0) | flags
}

export function writeU16(buffer: Buffer, offset: number, value: number): void {
  buffer[offset] = value >>> 8
  buffer[offset + 1] = value
}

export function writeU24(buffer: Buffer, offset: number, value: number): void {
  buffer[offset] = value >>> 16
  buffer[offset + 1] = value >>> 8
  buffer[offset + 2] = value
}

export function writeU32(buffer: Buffer, offset: number, value: number): void {
  buffer[offset] = value >>> 24
  buffer[offset + 1] = value >>> 16
  buffer[offset + 2] = value >>> 8
  buffer[offset + 3] = value
}

/** Thrown when a head or trailers cannot be sent. The error ends the stream, never the session. */
export class HeadError extends Error {
  override name = 'HeadError'
}

/** Thrown when a string of a head has a character that HTTP does not allow in a field, or a character above U+00FF. */
export class HeadTextError extends HeadError {
  override name = 'HeadTextError'
}

const NUL = '\0'
/** CR and LF would split a head on the next hop. A character above U+00FF would be cut to one byte, which can be CR or LF. */
const UNSENDABLE = /[\r\n\u0100-\uffff]/

/**
 * Returns the head block of an OPEN: service, method, target, then names and values, separated by NUL, latin1. A `client`
 * that is not empty becomes the value of a first field without a name. Strings cannot contain NUL, so they need no length
 * (PROTOCOL.md, "Head blocks"). Throws HeadTextError when a string contains NUL, CR, LF or a character above U+00FF. The
 * two functions below throw in the same way.
 */
export function openBlock(
  service: string,
  method: string,
  target: string,
  client: string,
  fields: Fields,
): string {
  let block = `${withoutNul(service)}\0${withoutNul(method)}\0${withoutNul(target)}`
  if (client !== '') block += `\0\0${withoutNul(client)}`
  return sendable(appended(block, fields, 0))
}

/** Returns the head block of a HEAD: reason phrase, then names and values. */
export function responseBlock(statusText: string, fields: Fields): string {
  return sendable(appended(withoutNul(statusText), fields, 0))
}

/** Returns the block of a TRAILERS frame: names and values. */
export function trailersBlock(fields: Fields): string {
  return fields.length === 0 ? '' : sendable(appended(withoutNul(fields[0] as string), fields, 1))
}

/**
 * Appends the fields from index `start` on. Appending and checking each string costs less than joining all strings and
 * counting the NULs of the result: it saves 0.2 of 1.3 microseconds for the two heads of a small GET.
 */
function appended(before: string, fields: Fields, start: number): string {
  let block = before
  for (let index = start; index < fields.length; index += 1) {
    block += NUL
    block += withoutNul(fields[index] as string)
  }
  return block
}

function withoutNul(text: string): string {
  if (text.includes(NUL)) throw unsendable(NUL)
  return text
}

function sendable(block: string): string {
  if (UNSENDABLE.test(block)) throw unsendable(UNSENDABLE.exec(block)?.[0] ?? '')
  return block
}

function unsendable(character: string): HeadTextError {
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  return new HeadTextError(`a method, target or field holds U+${code}, which cannot be sent`)
}
