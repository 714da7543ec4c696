// One answer on its way to the client, whatever is spoken there: http1-answer.ts and http2-answer.ts are the two ways to
// write it. Here is when it leaves, and how much of it there may be: a telephone can make an answer too short or too
// long, never look complete. A head waits for the end of the event-loop turn it came in, because most answers are
// complete by then and leave in one write.
//
//   idle ──hold──▶ held ──end of turn, or more data──▶ streaming ──end──▶ ended

import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { AnswerFields } from './answer-fields.ts'
import type { ProxyResponse } from './answers.ts'
import { holdUntilTurnEnds } from './end-of-turn.ts'

/** `written`: give the credit back now; `full`: when the owner is told `drained`; `broken`: the answer is not HTTP. */
export type Written = 'written' | 'full' | 'broken'

export interface AnswerOwner {
  /** The connection is to be closed after this answer, where that can be said of a connection. */
  readonly closeAfter: boolean
  /** The fields of a final answer as the client gets them, but for framing. Undefined: they are not HTTP. */
  answerFields(head: AnswerHead): AnswerFields | undefined
  /** A held head could not be written: nothing of it has left. */
  answerBroken(): void
  /** After `full`: there is room again. */
  drained(): void
  /** After `whenSent`, perhaps before it returns. */
  sent(): void
}

export abstract class ClientAnswer {
  protected owner!: AnswerOwner
  protected state: 'idle' | 'held' | 'streaming' | 'ended' = 'idle'
  protected readonly isHead: boolean
  protected head: AnswerHead | undefined
  protected answer: AnswerFields | undefined
  /** The beginning of the body, while the head is held. */
  protected heldBody: Buffer | undefined
  protected bodyless = false
  /** -1: not known beforehand. */
  protected contentLength = -1
  /** Of the body, as far as it was given to the connection. */
  bytesOut = 0
  #drainWatched = false

  /** `isHead`: to a HEAD. */
  constructor(isHead: boolean) {
    this.isHead = isHead
  }

  /** Once, before anything else. */
  attach(owner: AnswerOwner): void {
    this.owner = owner
  }

  /** 0 before there is a head. */
  get status(): number {
    return this.head?.status ?? 0
  }

  /** Something of the head has left: from here on nothing else can be answered. */
  get started(): boolean {
    return this.state === 'streaming' || this.state === 'ended'
  }

  /** Takes the final head. False: it is not HTTP. */
  hold(head: AnswerHead): boolean {
    const answer = this.owner.answerFields(head)
    if (answer === undefined || head.status < 200 || head.status > 999) return false
    const { status } = head
    this.head = head
    this.answer = answer
    this.bodyless = this.isHead || status === 204 || status === 205 || status === 304
    this.contentLength = status === 204 ? -1 : status === 205 ? 0 : answer.contentLength
    this.state = 'held'
    holdUntilTurnEnds(this)
    return true
  }

  data(chunk: Buffer): Written {
    if (this.bodyless) return 'written'
    this.bytesOut += chunk.length
    if (this.contentLength !== -1 && this.bytesOut > this.contentLength) return 'broken'
    if (this.state === 'held') {
      if (this.heldBody === undefined) {
        this.heldBody = chunk
        return 'written'
      }
      if (!this.start()) return 'broken'
    }
    if (this.write(chunk)) return 'written'
    if (!this.#drainWatched) {
      this.#drainWatched = true
      this.onDrain(() => this.owner.drained())
    }
    return 'full'
  }

  /** The turn is over: what is held leaves. */
  flush(): void {
    if (this.state === 'held' && !this.start()) this.owner.answerBroken()
  }

  /** All that the head has announced was given. */
  protected get complete(): boolean {
    return this.bodyless || this.contentLength === -1 || this.bytesOut === this.contentLength
  }

  /** A 1xx head (row R5). False: it is not relayed, which harms nobody. */
  abstract interim(head: AnswerHead): boolean
  /** The far end says that the answer is complete. False: it is not, or its trailers are not HTTP. */
  abstract end(trailers: Fields | undefined): boolean
  /** A whole answer of our own; what is held is dropped. Not once it has started. */
  abstract say(answer: ProxyResponse): void
  /** The owner wants to be told `sent` when all of a complete answer is with the kernel, or nearly so. */
  abstract whenSent(): void
  /** After a complete answer: asks the client to stop sending its request. False: it will not be told. */
  abstract stopUpload(): boolean
  /** Breaks it off, so that nobody takes it for complete. */
  abstract cut(): void
  /** The client does not take what it is sent, or does not stop sending: it is let go. */
  abstract destroy(): void
  /** Gives up its bytes, wherever they wait, also behind earlier answers of the connection. */
  abstract giveUpBytes(): void
  /** Writes what is held: from then on it is `streaming`. False: it is not HTTP; nothing was written then. */
  protected abstract start(): boolean
  /** Of the body, behind `start`. False: it is enough for now. */
  protected abstract write(chunk: Buffer): boolean
  /** Calls back whenever there is room again. */
  protected abstract onDrain(listener: () => void): void
}
