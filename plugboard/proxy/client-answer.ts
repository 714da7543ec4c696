// One answer on its way to the client, whatever is spoken there: http1-answer.ts and http2-answer.ts are the two ways.
// Both count the body against its length: a telephone can make an answer too short or too long, never look complete.

import type { AnswerHead, Fields } from '@vera-stack/shared/protocol/stream.ts'
import type { AnswerFields } from './answer-fields.ts'
import type { LocalAnswer } from './answers.ts'

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

export interface ClientAnswer {
  /** Once, before anything else. */
  attach(owner: AnswerOwner): void
  /** 0 before there is a head. */
  readonly status: number
  /** Something of the head has left: from here on nothing else can be answered. */
  readonly started: boolean
  /** Of the body, as far as it was given to the connection. */
  readonly bytesOut: number
  /** A 1xx head (row R5). False: it is not relayed, which harms nobody. */
  interim(head: AnswerHead): boolean
  /** Takes the final head. False: it is not HTTP. */
  hold(head: AnswerHead): boolean
  data(chunk: Buffer): Written
  /** The far end says that the answer is complete. False: it is not, or its trailers are not HTTP. */
  end(trailers: Fields | undefined): boolean
  /** A whole answer of our own; what is held is dropped. Not once it has started. */
  say(answer: LocalAnswer): void
  /** The owner wants to be told `sent` when all of a complete answer is with the kernel, or nearly so. */
  whenSent(): void
  /** After a complete answer: asks the client to stop sending its request. False: it will not be told. */
  stopUpload(): boolean
  /** Breaks it off, so that nobody takes it for complete. */
  cut(): void
  /** The client does not take what it is sent, or does not stop sending: it is let go. */
  destroy(): void
}
