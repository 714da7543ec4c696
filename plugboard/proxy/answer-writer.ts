// Writes one answer to the client: 1xx heads, the head, the body as it comes, trailers. A head waits for the end
// of the event-loop turn it came in, because most answers are complete by then and leave in one write.
// Counts the body against its length: a telephone can make an answer too short or too long, never look complete.
//
//   idle ──hold──▶ held ──end of turn, or more data──▶ streaming ──end──▶ ended

import type { ServerResponse } from 'node:http'
import { relayedTrailers } from '@vera-stack/shared/headers.ts'
import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/stream.ts'
import {
  type AnswerFields,
  readAnswerFields,
  readInterimFields,
  removeTrailerField,
} from './answer-fields.ts'
import { addHsts } from './https-policy.ts'
import { rawHead } from './raw-head.ts'

/** `written`: give the credit back now; `full`: when the response drains; `broken`: the answer is not HTTP. */
export type Written = 'written' | 'full' | 'broken'

/** Up to here head and body are joined as one string: one plain write costs less than two buffers gathered. */
const JOINED_BYTES = 4096

export interface AnswerOwner {
  readonly requestId: string
  /** The connection is to be closed after this answer. */
  readonly closeAfter: boolean
  /** Value of Strict-Transport-Security; empty for none. */
  readonly hsts: string
  /** A held head could not be written: nothing of it has left. */
  answerBroken(): void
}

export class AnswerWriter {
  readonly #res: ServerResponse
  readonly #owner: AnswerOwner
  readonly #http10: boolean
  readonly #isHead: boolean
  #state: 'idle' | 'held' | 'streaming' | 'ended' = 'idle'
  #head: AnswerHead | undefined
  #answer: AnswerFields | undefined
  #held: Buffer | undefined
  #bodyless = false
  /** -1: not known beforehand. */
  #contentLength = -1
  /** Of the body, as far as it was given to the response. */
  bytesOut = 0

  constructor(res: ServerResponse, owner: AnswerOwner) {
    this.#res = res
    this.#owner = owner
    this.#http10 = res.req.httpVersionMinor === 0
    this.#isHead = res.req.method === 'HEAD'
  }

  /** 0 before there is a head. */
  get status(): number {
    return this.#head?.status ?? 0
  }

  /** True once something of the head has left: from here on nothing else can be answered. */
  get started(): boolean {
    return this.#state === 'streaming' || this.#state === 'ended'
  }

  /** True when only the end of the connection ends the body: a cut must not look like that. */
  get closeDelimited(): boolean {
    return this.#http10 && this.#contentLength === -1
  }

  /** A 1xx head (row R5). False: it is not relayed, which harms nobody. */
  interim(head: AnswerHead): boolean {
    const res = this.#res
    if (this.#http10 || this.#state !== 'idle') return false
    if (head.status === 100) {
      res.writeContinue()
      return true
    }
    // Without a socket, answers before this one are not written yet. A client that does not read gets no more of
    // them: nothing else bounds how many a telephone sends.
    const { socket } = res
    if (socket === null || socket.writableNeedDrain) return false
    const text = rawHead(head.status, readInterimFields(head.fields))
    if (text === undefined) return false
    socket.write(text, 'latin1')
    return true
  }

  /** Takes the final head. False: it is not HTTP. */
  hold(head: AnswerHead): boolean {
    const answer = readAnswerFields(head.fields, this.#owner.requestId)
    if (answer === undefined || head.status < 200 || head.status > 999) return false
    this.#head = head
    this.#answer = answer
    const { status } = head
    this.#bodyless = this.#isHead || status === 204 || status === 205 || status === 304
    this.#contentLength = status === 204 ? -1 : status === 205 ? 0 : answer.contentLength
    this.#state = 'held'
    holdUntilTurnEnds(this)
    return true
  }

  data(chunk: Buffer): Written {
    if (this.#bodyless) return 'written'
    this.bytesOut += chunk.length
    if (this.#contentLength !== -1 && this.bytesOut > this.#contentLength) return 'broken'
    if (this.#state === 'held') {
      if (this.#held === undefined) {
        this.#held = chunk
        return 'written'
      }
      if (!this.#start()) return 'broken'
    }
    return this.#res.write(chunk) ? 'written' : 'full'
  }

  /** The far end says that the answer is complete. False: it is not, or its trailers are not HTTP. */
  end(trailers: Fields | undefined): boolean {
    if (this.#state === 'held') return this.#endWhole(trailers)
    if (!this.#bodyless && this.#contentLength !== -1 && this.bytesOut !== this.#contentLength) return false
    if (trailers !== undefined && !this.#addTrailers(trailers)) return false
    this.#state = 'ended'
    this.#res.end()
    return true
  }

  /** The turn is over: what is held leaves. */
  flush(): void {
    if (this.#state !== 'held') return
    if (!this.#start()) this.#owner.answerBroken()
    else if (this.bytesOut === 0) this.#res.flushHeaders()
  }

  /** A problem is answered instead: what is held is dropped. */
  abandon(): void {
    this.#state = 'ended'
    this.#held = undefined
  }

  #endWhole(trailers: Fields | undefined): boolean {
    const held = this.#held
    const answer = this.#answer as AnswerFields
    if (!this.#bodyless && this.#contentLength === -1 && trailers === undefined && !answer.trailer) {
      this.#contentLength = this.bytesOut
    }
    if (!this.#bodyless && this.#contentLength !== -1 && this.bytesOut !== this.#contentLength) return false
    if (!this.#writeHead()) return false
    if (trailers !== undefined) {
      if (held !== undefined) this.#res.write(held)
      this.#held = undefined
      this.#state = 'streaming'
      return this.end(trailers)
    }
    this.#state = 'ended'
    if (held === undefined) this.#res.end()
    else if (held.length <= JOINED_BYTES) this.#res.end(held.toString('latin1'), 'latin1')
    else this.#res.end(held)
    return true
  }

  #start(): boolean {
    if (!this.#writeHead()) return false
    this.#state = 'streaming'
    if (this.#held !== undefined) this.#res.write(this.#held)
    this.#held = undefined
    return true
  }

  /** False: Node refuses a field, the status or its text; nothing was written then. */
  #writeHead(): boolean {
    const { status, statusText } = this.#head as AnswerHead
    const { fields, dated, trailer } = this.#answer as AnswerFields
    const res = this.#res
    if (this.#contentLength !== -1) fields.push('Content-Length', String(this.#contentLength))
    if (trailer && (this.#bodyless || this.#http10 || this.#contentLength !== -1)) removeTrailerField(fields)
    if (dated) res.sendDate = false
    if (this.#owner.closeAfter) fields.push('Connection', 'close')
    if (this.#owner.hsts !== '') addHsts(fields, this.#owner.hsts)
    try {
      res.writeHead(status, statusText, fields)
      return true
    } catch {
      return false
    }
  }

  #addTrailers(trailers: Fields): boolean {
    if (this.#http10 || this.#bodyless || this.#contentLength !== -1) return true
    const relayed = relayedTrailers(trailers)
    if (relayed === undefined) return true
    const pairs: [string, string][] = []
    for (let index = 0; index + 1 < relayed.length; index += 2) {
      pairs.push([relayed[index] as string, relayed[index + 1] as string])
    }
    try {
      this.#res.addTrailers(pairs)
      return true
    } catch {
      return false
    }
  }
}

let waiting: AnswerWriter[] = []

function holdUntilTurnEnds(writer: AnswerWriter): void {
  if (waiting.push(writer) === 1) process.nextTick(turnEnded)
}

function turnEnded(): void {
  const ready = waiting
  waiting = []
  for (const writer of ready) writer.flush()
}
