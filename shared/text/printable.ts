// Makes text of peers and users safe for a terminal, a table or the client of a request. Such text must not control the
// terminal, begin a line, or change the order in which other text is shown.

const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** Replaces control characters, separators of lines, and marks that change the direction of text. */
export function printable(text: string, substitute = '?'): string {
  return text.replace(UNPRINTABLE, substitute)
}
