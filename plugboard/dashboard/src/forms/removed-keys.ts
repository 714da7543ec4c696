// A document as a merge patch (RFC 7396): keys that the person has removed are null.

type Json = Readonly<Record<string, unknown>>

export function removedKeys(before: object, after: object): Json {
  const result: Record<string, unknown> = { ...after }
  for (const [name, old] of Object.entries(before)) {
    const now = (after as Json)[name]
    if (now === undefined) result[name] = null
    else if (isObject(old) && isObject(now)) result[name] = removedKeys(old, now)
  }
  return result
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
