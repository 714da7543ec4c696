// The messages of an observe stream (PROTOCOL.md, "Live data"): a tag, then JSON. A receiver ignores a tag that it does not have.

import { z } from 'zod'

/** Most bytes of one message. */
export const OBSERVE_MESSAGE_BYTES = 256 * 1024

const TAGS = {
  /** Asks for a feed of the receiver. */
  watch: 1,
  /** Ends a feed. */
  unwatch: 2,
  /** Items of a feed; without items: the feed is open, or items were dropped. */
  items: 3,
  /** The receiver of `watch` has no such feed. */
  refused: 4,
} as const

/** The sender of `watch` chooses the id. It is unique for the start of its process. */
const id = z.int().min(1)
const count = z.int().min(0)
const schemas = {
  watch: z.object({ id, topic: z.string().max(40), params: z.unknown() }),
  unwatch: z.object({ id }),
  items: z.object({
    id,
    /** Items of the feed before this message, dropped ones included. */
    after: count,
    /** Items that were dropped, and that `after` of the next message includes. */
    dropped: count,
    items: z.array(z.unknown()),
  }),
  refused: z.object({ id, reason: z.string().max(300) }),
} as const

type MessageType = keyof typeof TAGS
export type ObserveMessage = {
  [Type in MessageType]: { readonly type: Type } & Readonly<z.infer<(typeof schemas)[Type]>>
}[MessageType]

export function encodeObserveMessage({ type, ...content }: ObserveMessage): Uint8Array {
  return Buffer.concat([Buffer.from([TAGS[type]]), Buffer.from(JSON.stringify(content))])
}

/** Returns undefined for a tag of a newer version. Throws for a malformed message. */
export function decodeObserveMessage(bytes: Uint8Array): ObserveMessage | undefined {
  const type = (Object.keys(TAGS) as MessageType[]).find(each => TAGS[each] === bytes[0])
  if (type === undefined) return undefined
  const content: unknown = JSON.parse(Buffer.from(bytes.subarray(1)).toString())
  return { type, ...schemas[type].parse(content) } as ObserveMessage
}
