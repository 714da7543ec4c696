// Times of access lines. Most lines of a busy process are in the same second as the line before, and Date takes 400 ns for each text.

/** 000 to 999. */
const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => String(ms).padStart(3, '0'))

/** Returns a function that returns the time in the form of `Date.toISOString`. `timeMs`: milliseconds since 1970. */
export function isoTimes(): (timeMs: number) => string {
  let second = Number.NaN
  /** The time up to the point. */
  let text = ''
  return timeMs => {
    const ms = Math.trunc(timeMs)
    const now = Math.floor(ms / 1000)
    if (now !== second) {
      text = new Date(ms).toISOString().slice(0, -'000Z'.length)
      second = now
    }
    return `${text}${MILLISECONDS[ms - now * 1000]}Z`
  }
}
