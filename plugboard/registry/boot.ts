// A boot names one run of a replica. Boots of a replica are ordered as text: what a newer run says replaces all
// that an older one said, and never the other way round while the newer one lives. Start time first, then randomness
// for the tie.

/** `<start, ms since 1970, base 36, 9 digits>-<8 random digits>`: good as text in a database, a log, a frame. */
export type Boot = string

const START_DIGITS = 9
const RANDOM_DIGITS = 8

/** `random`: uniform in [0, 1). */
export function newBoot(wallTimeMs: number, random: () => number): Boot {
  const start = Math.max(0, Math.floor(wallTimeMs)).toString(36).padStart(START_DIGITS, '0')
  const tail = Math.floor(random() * 36 ** RANDOM_DIGITS).toString(36)
  return `${start}-${tail.padStart(RANDOM_DIGITS, '0')}`
}

export function isNewerBoot(boot: Boot, than: Boot): boolean {
  return boot > than
}
