// Joins texts of peers and of this program into one line of sentences.

/** Returns the text with a full stop at its end, unless it ends a sentence already. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}
