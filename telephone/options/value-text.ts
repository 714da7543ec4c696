// Values of callers in messages: short, and without a conversion that could throw, such as that of an object without a
// prototype.

/** `"text"`, `7`, `an object`. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
