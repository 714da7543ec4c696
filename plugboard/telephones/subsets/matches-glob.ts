// Compares a text with a pattern in which * stands for any characters and ? for one. The time is at most the product of the
// two lengths, also for hostile texts, because only the last * is tried again.

export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0
  let next = 0
  /** The place behind the last *, and the place in the text from which the rest is compared. */
  let afterStar = -1
  let retryAt = 0
  while (at < text.length) {
    const wanted = pattern[next]
    if (wanted === '*') {
      next += 1
      afterStar = next
      retryAt = at
    } else if (wanted === '?' || (wanted !== undefined && wanted === text[at])) {
      at += 1
      next += 1
    } else if (afterStar !== -1) {
      retryAt += 1
      at = retryAt
      next = afterStar
    } else {
      return false
    }
  }
  while (pattern[next] === '*') next += 1
  return next === pattern.length
}
