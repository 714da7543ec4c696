// Ranks texts by how well they fit the letters that a person types.

/** Returns a score, higher for a better fit; undefined when the text lacks a letter of the query, in this order. Spaces do not count. */
export function fuzzyScore(query: string, text: string): number | undefined {
  const wanted = query.toLowerCase().replaceAll(' ', '')
  const given = text.toLowerCase()
  if (wanted === '') return 0
  const at = given.indexOf(query.toLowerCase().trim())
  if (at !== -1) return 1000 + (isStart(given, at) ? 100 : 0) - Math.min(at, 50) - given.length / 1000
  let score = 0
  let last = -1
  for (const letter of wanted) {
    const next = given.indexOf(letter, last + 1)
    if (next === -1) return undefined
    score += next === last + 1 ? 8 : isStart(given, next) ? 6 : 0
    score -= Math.min(next - last - 1, 10) / 10
    last = next
  }
  return score - given.length / 1000
}

const isStart = (text: string, at: number): boolean => at === 0 || /[^a-z0-9]/.test(text[at - 1] ?? '')
