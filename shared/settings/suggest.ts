// Finds the known word that is nearest to a mistyped one, for "did you mean …?".

/** Returns the number of inserted, deleted, replaced or swapped neighbouring characters between two words. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      current[j] = Math.min(
        last[j]! + 1,
        current[j - 1]! + 1,
        last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        swap ? beforeLast[j - 2]! + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}

const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '')

/** Returns the nearest known word, if at most a third of the letters of the typed word differ. */
function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const between = distance(plain(word), plain(candidate))
    if (between < bestDistance) [best, bestDistance] = [candidate, between]
  }
  return bestDistance <= Math.max(1, Math.floor(word.length / 3)) ? best : undefined
}

/** Returns `; did you mean x?`, or an empty string. */
export function didYouMean(word: string, known: readonly string[]): string {
  const found = nearest(word, known)
  return found === undefined ? '' : `; did you mean ${found}?`
}
