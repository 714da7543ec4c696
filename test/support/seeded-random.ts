// Repeatable randomness: the same seed gives the same sequence (mulberry32, public domain arithmetic). Print the seed in every
// message of a test that uses it.

/** Returns a uniform number in [0, 1), like Math.random. */
export type Random = () => number

export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** Returns an integer in [min, max], both included. */
export function randomInteger(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1))
}

/** Returns the seed of this run: `SEED` of the environment to repeat a failure, else a new one. */
export function runSeed(): number {
  const given = process.env.SEED
  if (given === undefined) return Math.floor(Math.random() * 0xffff_ffff)
  const seed = Number(given)
  if (!Number.isSafeInteger(seed)) throw new Error(`SEED must be an integer, got ${given}`)
  return seed
}
