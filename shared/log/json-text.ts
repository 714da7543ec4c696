// Parts of JSON, with the text of JSON.stringify at a part of its cost.

/** Returns the content of the JSON string of the text. */
export function escaped(text: string): string {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    // Control characters, quote, backslash; and surrogates, which are escaped when they are not a pair.
    const isPlain = code >= 0x20 && code !== 0x22 && code !== 0x5c && (code < 0xd800 || code > 0xdfff)
    if (!isPlain) return JSON.stringify(text).slice(1, -1)
  }
  return text
}

/** The digits of 0 to 999 thousandths with the point, without zeros at the end. */
const FRACTIONS = Array.from({ length: 1000 }, (_, thousandths) =>
  String(thousandths / 1000).slice('0'.length),
)
/** Up to here, a number with three digits after the point has at most 15 digits, so it is the shortest text of its value. */
const MAX_TABLED = 1e12

/** Returns the number as JSON. Durations have at most three digits after the point, and a table has the text of these digits. */
export function numeral(value: number): string {
  const thousandths = Math.round(value * 1000)
  if (!(value >= 0 && value < MAX_TABLED && thousandths / 1000 === value)) return JSON.stringify(value)
  const whole = Math.floor(value)
  return `${whole}${FRACTIONS[thousandths - whole * 1000]}`
}
