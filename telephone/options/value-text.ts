// Renders values of callers in messages. The text is short, and the conversion never throws, also for an object without a
// prototype.

/** Returns `"text"`, `7`, `an object`. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
