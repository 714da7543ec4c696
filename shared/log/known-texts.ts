// The JSON of members whose values come from the configuration, such as the id of a route. The same few values are in most access
// lines, so their text is kept. Many values only replace each other: a Map that changes with every request would burden the garbage
// collector (docs/decisions/0005).

import { escaped } from './json-text.ts'

/** A power of 2. */
const PLACES = 512

export class KnownTexts {
  readonly #before: string
  /** By place: the value that was there last, and its text. */
  readonly #values: string[] = []
  readonly #texts: string[] = []

  /** `name`: of the member. */
  constructor(name: string) {
    this.#before = `,"${name}":"`
    for (let place = 0; place < PLACES; place += 1) {
      this.#values.push('')
      this.#texts.push(`${this.#before}"`)
    }
  }

  /** Returns the member with a comma before it; undefined: empty. */
  of(value: string | undefined): string {
    if (value === undefined) return ''
    const place = placeOf(value)
    if (this.#values[place] !== value) {
      this.#values[place] = value
      // `join` returns a text in one piece. The pieces of a concatenation are copied one by one into each line.
      this.#texts[place] = [this.#before, escaped(value), '"'].join('')
    }
    return this.#texts[place] as string
  }
}

/** Returns a place from the last characters, in which ids and names differ. */
function placeOf(value: string): number {
  const last = value.length - 1
  const code = value.charCodeAt(last) ^ (value.charCodeAt(last - 1) << 3) ^ (value.charCodeAt(last - 2) << 6)
  return code & (PLACES - 1)
}
