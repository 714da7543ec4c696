// Writes and reads HTTP/2 frames, valid or not, for both ends of a connection (raw-http2.ts, http2-frame-backend.ts). Written
// by hand from RFC 9113 and RFC 7541, so that it shares no fault with the tested code.

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const

export interface Http2Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const HEADER_BYTES = 9

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUIntBE(body.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, body])
}

/** Encodes alternating names and values as literals without indexing (RFC 7541 section 6.2.2), without Huffman codes. */
export function fieldBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let index = 0; index < fields.length; index += 2) {
    parts.push(Buffer.from([0]), text(fields[index] as string), text(fields[index + 1] as string))
  }
  return Buffer.concat(parts)
}

/** Encodes the length as an integer with a 7 bit prefix (RFC 7541 section 5.1), then the bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export function u32(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, index * 4)
  return bytes
}

export function resetFrame(streamId: number, code: number): Buffer {
  return frame(FRAME.resetStream, 0, streamId, u32(code))
}

/** Encodes alternating identifiers and values. */
export function settings(...pairs: number[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 3)
  for (let index = 0; index < pairs.length; index += 2) {
    payload.writeUInt16BE(pairs[index] as number, index * 3)
    payload.writeUInt32BE(pairs[index + 1] as number, index * 3 + 2)
  }
  return frame(FRAME.settings, 0, 0, payload)
}

/** Parses frames from bytes that arrive in chunks of any size. */
export class FrameReader {
  #received: Buffer = Buffer.alloc(0)
  #preface: boolean

  /** `preface`: true when the preface of a client comes first. */
  constructor(preface: boolean) {
    this.#preface = preface
  }

  /** Returns the frames that this chunk completes. */
  read(chunk: Buffer): Http2Frame[] {
    this.#received = Buffer.concat([this.#received, chunk])
    if (this.#preface) {
      if (this.#received.length < PREFACE.length) return []
      if (!this.#received.subarray(0, PREFACE.length).equals(PREFACE)) throw new Error('no preface')
      this.#received = this.#received.subarray(PREFACE.length)
      this.#preface = false
    }
    const frames: Http2Frame[] = []
    while (this.#received.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#received.readUIntBE(0, 3)
      if (this.#received.length < end) break
      frames.push({
        type: this.#received.readUInt8(3),
        flags: this.#received.readUInt8(4),
        streamId: this.#received.readUInt32BE(5) & 0x7fffffff,
        payload: this.#received.subarray(HEADER_BYTES, end),
      })
      this.#received = this.#received.subarray(end)
    }
    return frames
  }
}
