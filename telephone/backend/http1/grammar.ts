// The few rules of RFC 9110 and 9112 that both directions need: tokens, field lines, blanks around a value.
// Heads are checked by one regular expression each, built from these parts: one pass over the text costs a
// third of a check per field. What a field means is shared/headers.ts.

/** A token (RFC 9110 section 5.6.2), as the source of a regular expression. */
export const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
/** What a field value or a reason phrase is made of: blanks, visible ASCII, obs-text. No CR, LF, NUL or DEL. */
export const TEXT = '[\\t\\x20-\\x7e\\x80-\\xff]*'
/** Field lines, each led by the CR LF that ends the line before. No blank before the colon, no obs-fold. */
export const FIELD_LINES = `(?:\\r\\n${TOKEN}:${TEXT})*`

const ONLY_TOKEN = new RegExp(`^${TOKEN}$`)

export function isToken(text: string): boolean {
  return ONLY_TOKEN.test(text)
}

/** A field value without the blanks around it. */
export function trimBlanks(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
