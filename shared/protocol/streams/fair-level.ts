// Divides a limited total among many holders: computes the largest amount that each holder may keep (max-min fairness).
// An amount below this level stays as it is, so a large holder never reduces the amount of a small one.

/** Returns the level L for which the sum of min(amount, L) is `total`. Infinity when all amounts fit, 0 when no total is left. */
export function fairLevel(amounts: readonly number[], total: number): number {
  let left = Math.max(0, total)
  let count = amounts.length
  for (const amount of amounts.toSorted((one, other) => one - other)) {
    const level = left / count
    if (amount > level) return level
    left -= amount
    count -= 1
  }
  return Number.POSITIVE_INFINITY
}
