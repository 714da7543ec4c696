// Bounds the text of peers before it enters an error, a log line or a terminal. A peer chooses its text and its length;
// a line that quotes it must stay short, and every later step (redaction, JSON, the disk) must stay cheap.

/** Characters of one text of a peer: a request, a response, a control message, a claim, an error of a library. */
export const MAX_PEER_TEXT = 200

/** Returns the text, or its first `max` characters and `…`. Never splits a surrogate pair. */
export function cutText(text: string, max = MAX_PEER_TEXT): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  const splitsPair = last >= 0xd800 && last <= 0xdbff
  return `${text.slice(0, splitsPair ? max - 1 : max)}…`
}
