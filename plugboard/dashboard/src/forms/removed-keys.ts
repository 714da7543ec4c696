// A changed document as the patch that the API takes: JSON merge patch (RFC 7396), one level deep. A value is replaced as a whole; keys
// that the person has removed are null.

type Json = Readonly<Record<string, unknown>>

/** `nested`: keys with an object that is merged too, one level deep. */
export function removedKeys(before: object, after: object, nested: readonly string[] = []): Json {
  const result: Record<string, unknown> = { ...after }
  for (const [name, old] of Object.entries(before)) {
    const now = (after as Json)[name]
    if (nested.includes(name) && isObject(old) && (now === undefined || isObject(now)))
      result[name] = removedKeys(old, now ?? {})
    else if (now === undefined) result[name] = null
  }
  return result
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
