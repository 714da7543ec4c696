// The rules of RFC 9110 and 9112 that both directions use: tokens, field lines, blanks around a value. One regular
// expression, built from these parts, checks a whole head: one pass over the text costs a third of a check per field.
// shared/http/headers.ts defines the meaning of fields.

/** A token (RFC 9110 section 5.6.2), as the source of a regular expression. */
export const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
/** The characters of a field value or a reason phrase: blanks, visible ASCII, obs-text. No CR, LF, NUL or DEL. */
export const TEXT = '[\\t\\x20-\\x7e\\x80-\\xff]*'
/** Field lines. Each one starts with the CR LF that ends the previous line. No blank before the colon, no obs-fold. */
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
