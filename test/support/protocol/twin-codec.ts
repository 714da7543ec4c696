// A second codec of the tunnel protocol, written from PROTOCOL.md alone: slow and simple, on hex text. The real codec is
// compared with it, and tests that act as a peer write and read frames with it. It must not import any file of
// shared/protocol.

export type Frame =
  | { type: 'DATA'; stream: number; body: string; end: boolean }
  | {
      type: 'OPEN'
      stream: number
      kind: number
      hops: number
      strings: string[]
      body: string
      end: boolean
    }
  | {
      type: 'HEAD'
      stream: number
      status: number
      backendUs?: number
      strings: string[]
      body: string
      end: boolean
    }
  | { type: 'TRAILERS'; stream: number; strings: string[] }
  | { type: 'RESET'; stream: number; reason: number; detail: string }
  | { type: 'WINDOW'; stream: number; credit: number }
  | { type: 'PING'; opaque: string }
  | { type: 'PONG'; opaque: string }
  | { type: 'CONTROL'; text: string }
  | { type: 'BYE'; reason: number; detail: string }

export type FrameName = Frame['type']

/** The number of each type on the wire, and whether its frames belong to a stream or to the session (id 0). */
export const FRAME_TABLE: Record<FrameName, { number: number; ofStream: boolean }> = {
  DATA: { number: 0, ofStream: true },
  OPEN: { number: 1, ofStream: true },
  HEAD: { number: 2, ofStream: true },
  TRAILERS: { number: 3, ofStream: true },
  RESET: { number: 4, ofStream: true },
  WINDOW: { number: 5, ofStream: true },
  PING: { number: 6, ofStream: false },
  PONG: { number: 7, ofStream: false },
  CONTROL: { number: 8, ofStream: false },
  BYE: { number: 9, ofStream: false },
}

const DETAIL_BYTES = 512

const integer = (value: number, bytes: number) => value.toString(16).padStart(bytes * 2, '0')
const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('hex')
const latin1 = (text: string) => Buffer.from(text, 'latin1').toString('hex')
const withLength = (block: string) => integer(block.length / 2, 3) + block

/** Encodes one frame with its header as lower-case hex. */
export function frameHex(frame: Frame): string {
  const end = 'end' in frame && frame.end ? 1 : 0
  const timing = 'backendUs' in frame && frame.backendUs !== undefined ? 2 : 0
  const stream = 'stream' in frame ? frame.stream : 0
  return rawFrameHex(FRAME_TABLE[frame.type].number, end + timing, stream, payloadHex(frame))
}

/** Encodes a frame of any type and flags, valid or not. */
export function rawFrameHex(type: number, flags: number, stream: number, payload: string): string {
  return integer(type, 1) + integer(flags, 1) + integer(payload.length / 2, 3) + integer(stream, 4) + payload
}

/** Encodes frames in one message. */
export function messageOf(...frames: Frame[]): Buffer {
  return Buffer.from(frames.map(frameHex).join(''), 'hex')
}

function payloadHex(frame: Frame): string {
  switch (frame.type) {
    case 'DATA':
      return frame.body
    case 'OPEN':
      return (
        integer(frame.kind, 1) +
        integer(frame.hops, 1) +
        withLength(latin1(frame.strings.join('\0'))) +
        frame.body
      )
    case 'HEAD':
      return (
        integer(frame.status, 2) +
        (frame.backendUs === undefined ? '' : integer(frame.backendUs, 4)) +
        withLength(latin1(frame.strings.join('\0'))) +
        frame.body
      )
    case 'TRAILERS':
      return latin1(frame.strings.join('\0'))
    case 'RESET':
    case 'BYE':
      return integer(frame.reason, 2) + utf8(frame.detail)
    case 'WINDOW':
      return integer(frame.credit, 4)
    case 'PING':
    case 'PONG':
      return frame.opaque
    case 'CONTROL':
      return utf8(frame.text)
  }
}

/** Returns the frames of a message up to the first error, and the violated requirement (such as `P5`). */
export function readMessage(
  message: Buffer,
  maxFrameBytes: number,
): { frames: Frame[]; broken: string | undefined } {
  const frames: Frame[] = []
  const rest = new HexReader(message.toString('hex'))
  try {
    if (rest.bytesLeft === 0) throw new Broken('P2')
    while (rest.bytesLeft > 0) {
      if (rest.bytesLeft < 9) throw new Broken('P2')
      const type = rest.integer(1)
      const flags = rest.integer(1)
      const length = rest.integer(3)
      const stream = rest.integer(4)
      if (length > maxFrameBytes) throw new Broken('P5')
      if (length > rest.bytesLeft) throw new Broken('P2')
      const frame = readFrame(type, flags, stream, new HexReader(rest.hex(length)))
      if (frame !== undefined) frames.push(frame)
    }
  } catch (error) {
    if (error instanceof Broken) return { frames, broken: error.message }
    throw error
  }
  return { frames, broken: undefined }
}

class Broken extends Error {}

class HexReader {
  #text: string

  constructor(text: string) {
    this.#text = text
  }

  get bytesLeft(): number {
    return this.#text.length / 2
  }

  hex(bytes: number): string {
    if (bytes > this.bytesLeft) throw new Broken('P5')
    const taken = this.#text.slice(0, bytes * 2)
    this.#text = this.#text.slice(bytes * 2)
    return taken
  }

  integer(bytes: number): number {
    return Number.parseInt(this.hex(bytes), 16)
  }

  all(): string {
    return this.hex(this.bytesLeft)
  }
}

function readFrame(type: number, flags: number, stream: number, payload: HexReader): Frame | undefined {
  const end = flags % 2 === 1
  const row = Object.entries(FRAME_TABLE).find(([, { number }]) => number === type)
  if (row === undefined) {
    if (type >= 128) return undefined
    throw new Broken('P6')
  }
  const name = row[0] as FrameName
  if (row[1].ofStream !== (stream !== 0)) throw new Broken('P4')
  switch (name) {
    case 'DATA':
      return { type: name, stream, body: payload.all(), end }
    case 'OPEN': {
      const kind = payload.integer(1)
      const hops = payload.integer(1)
      const strings = readBlock(payload.hex(payload.integer(3)))
      if (strings.length < 3 || (strings.length - 3) % 2 !== 0) throw new Broken('P8')
      return { type: name, stream, kind, hops, strings, body: payload.all(), end }
    }
    case 'HEAD': {
      const status = payload.integer(2)
      const timing = Math.floor(flags / 2) % 2 === 1 ? { backendUs: payload.integer(4) } : {}
      const strings = readBlock(payload.hex(payload.integer(3)))
      if ((strings.length - 1) % 2 !== 0) throw new Broken('P8')
      if (status < 100 || status > 999) throw new Broken('P10')
      return { type: name, stream, status, ...timing, strings, body: payload.all(), end }
    }
    case 'TRAILERS': {
      const strings = readBlock(payload.all())
      if (strings.length % 2 !== 0) throw new Broken('P8')
      return { type: name, stream, strings }
    }
    case 'RESET':
      return { type: name, stream, reason: payload.integer(2), detail: readDetail(payload.all()) }
    case 'BYE':
      return { type: name, reason: payload.integer(2), detail: readDetail(payload.all()) }
    case 'WINDOW': {
      if (payload.bytesLeft !== 4) throw new Broken('P5')
      const credit = payload.integer(4)
      if (credit === 0) throw new Broken('P5')
      return { type: name, stream, credit }
    }
    case 'PING':
    case 'PONG':
      if (payload.bytesLeft !== 8) throw new Broken('P5')
      return { type: name, opaque: payload.all() }
    case 'CONTROL':
      return { type: name, text: Buffer.from(payload.all(), 'hex').toString('utf8') }
  }
}

function readBlock(hex: string): string[] {
  const strings = ['']
  for (const character of Buffer.from(hex, 'hex').toString('latin1')) {
    if (character === '\r' || character === '\n') throw new Broken('P9')
    if (character === '\0') strings.push('')
    else strings[strings.length - 1] += character
  }
  return strings
}

/** Cuts a text at the limit. */
function readDetail(hex: string): string {
  return Buffer.from(hex.slice(0, DETAIL_BYTES * 2), 'hex').toString('utf8')
}
