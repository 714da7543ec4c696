// An incarnation id names one run of a replica. The ids of a replica are ordered as text: by start time, then by a random part
// for ties. The data of a newer incarnation replaces the data of an older one. The reverse never happens while the newer one is
// alive.

/** `<start, ms since 1970, base 36, 9 digits>-<8 random digits>`: safe as text in a database, a log or a frame. */
export type Incarnation = string

const START_DIGITS = 9
const RANDOM_DIGITS = 8

/** Creates the id of a new incarnation. `random` returns a uniform number in [0, 1). */
export function newIncarnation(wallTimeMs: number, random: () => number): Incarnation {
  const start = Math.max(0, Math.floor(wallTimeMs)).toString(36).padStart(START_DIGITS, '0')
  const tail = Math.floor(random() * 36 ** RANDOM_DIGITS).toString(36)
  return `${start}-${tail.padStart(RANDOM_DIGITS, '0')}`
}

export function isNewerIncarnation(incarnation: Incarnation, than: Incarnation): boolean {
  return incarnation > than
}
