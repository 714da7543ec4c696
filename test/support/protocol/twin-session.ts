// A simple model of a session: from the frames of the peer, it computes the state that PROTOCOL.md requires. The session is the
// acceptor, and its owner does not act. The model is a table of streams. It imports no file of shared/protocol.

import type { Frame } from './twin-codec.ts'

export interface TwinSessionOptions {
  readonly windowBytes: number
  readonly maxStreams: number
  /** The initial credit of the session, from the hello of the peer. */
  readonly peerWindowBytes: number
  /** Streams that the session has opened (even ids). The value is true when the session's half is complete. */
  readonly opened: readonly { id: number; ended: boolean }[]
}

interface TwinStream {
  half: 'await head' | 'body' | 'ended' | 'closed'
  readonly opener: boolean
  readonly oursEnded: boolean
  received: number
  credit: number
}

const HIGHEST_CREDIT = 2 ** 31 - 1
const KINDS = [1, 2, 5, 6, 9]

export class TwinSession {
  /** The code of the reason that ends the session. Negative when the peer sent it in BYE. */
  ended: number | undefined
  /** The violated requirement, for messages. */
  broken: string | undefined
  readonly streams = new Map<number, TwinStream>()
  readonly #options: TwinSessionOptions
  #highestId = 0
  #peerDrains = false

  constructor(options: TwinSessionOptions) {
    this.#options = options
    for (const { id, ended } of options.opened) {
      this.streams.set(id, {
        half: 'await head',
        opener: true,
        oursEnded: ended,
        received: 0,
        credit: options.peerWindowBytes,
      })
    }
  }

  /** Open streams of the peer, by id. */
  get openPeerStreams(): number[] {
    return [...this.streams].filter(([, row]) => !row.opener && row.half !== 'closed').map(([id]) => id)
  }

  receive(frame: Frame): void {
    if (this.ended !== undefined) return
    switch (frame.type) {
      case 'OPEN':
        this.#open(frame)
        return
      case 'PING':
      case 'PONG':
        return
      case 'CONTROL':
        this.#control(frame.text)
        return
      case 'BYE':
        this.ended = -frame.reason
        return
    }
    const row = this.#find(frame.stream)
    if (row === undefined || row.half === 'closed') return
    switch (frame.type) {
      case 'HEAD': {
        if (row.half !== 'await head') {
          this.#end('P13')
          return
        }
        if (frame.status >= 200 || frame.status === 101) row.half = 'body'
        if (frame.body !== '') this.#data(row, frame.body)
        if (frame.end) this.#half(row)
        return
      }
      case 'DATA':
        this.#data(row, frame.body)
        if (frame.end) this.#half(row)
        return
      case 'TRAILERS':
        this.#half(row)
        return
      case 'WINDOW':
        row.credit += frame.credit
        if (row.credit > HIGHEST_CREDIT) this.ended ??= 13
        return
      case 'RESET':
        row.half = 'closed'
    }
  }

  #find(id: number): TwinStream | undefined {
    const row = this.streams.get(id)
    if (row !== undefined) return row
    if (id % 2 === 0 || id > this.#highestId) this.#end('P13')
    return undefined
  }

  #open(frame: Extract<Frame, { type: 'OPEN' }>): void {
    if (frame.stream % 2 === 0 || frame.stream <= this.#highestId) {
      this.#end('P11')
      return
    }
    this.#highestId = frame.stream
    if (!KINDS.includes(frame.kind) || this.#peerDrains) return
    if (this.openPeerStreams.length >= this.#options.maxStreams) return
    const credit = this.#options.peerWindowBytes
    const row: TwinStream = { half: 'body', opener: false, oursEnded: false, received: 0, credit }
    this.streams.set(frame.stream, row)
    if (frame.body !== '') this.#data(row, frame.body)
    if (frame.end) this.#half(row)
  }

  #data(row: TwinStream, body: string): void {
    if (row.half !== 'body') {
      this.#end('P13')
      return
    }
    row.received += body.length / 2
    if (row.received > this.#options.windowBytes) this.ended ??= 13
  }

  #half(row: TwinStream): void {
    if (row.half !== 'body') {
      this.#end('P13')
      return
    }
    row.half = row.oursEnded ? 'closed' : 'ended'
  }

  #control(text: string): void {
    const type = typeOf(text)
    if (type === undefined || type === 'hello' || type === 'drained') {
      this.#end('P25')
      return
    }
    if (type === 'drain') this.#peerDrains = true
  }

  #end(requirement: string): void {
    this.broken ??= requirement
    this.ended ??= 14
  }
}

function typeOf(text: string): string | undefined {
  try {
    const { type } = JSON.parse(text) as { type: unknown }
    return typeof type === 'string' ? type : undefined
  } catch {
    return undefined
  }
}
