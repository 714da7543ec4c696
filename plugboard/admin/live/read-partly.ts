// Reads the response of another replica as far as this version can. A newer replica may have a value that this version does not have,
// such as a further state of a process. Then only the smallest part that the schema can miss is left out: an element of a list, or
// a value that may be null or absent.

import type { z } from 'zod'

export interface PartlyRead<Value> {
  readonly value: Value
  /** True when a part of the response was left out. */
  readonly isPartial: boolean
}

/** How a part of a value is left out: the length of its path, and the value in its place. */
interface Removal {
  readonly length: number
  readonly by: 'splice' | 'null' | 'delete'
}

/** Each round leaves out all parts with an issue. Further rounds are for issues that the schema finds only after the first ones. */
const MAX_ROUNDS = 3

/** Returns the readable part of the value; undefined when an issue concerns a part that the schema needs. Does not change `value`. */
export function readPartly<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): PartlyRead<z.output<Schema>> | undefined {
  let parsed = schema.safeParse(value)
  if (parsed.success) return { value: parsed.data, isPartial: false }
  const rest = structuredClone(value)
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const removals: { readonly path: readonly PropertyKey[]; readonly by: Removal['by'] }[] = []
    for (const { path } of parsed.error.issues) {
      const removal = removalOf(schema, path)
      if (removal === undefined) return undefined
      removals.push({ path: path.slice(0, removal.length), by: removal.by })
    }
    // The last elements of lists go first, so that the indexes of the others stay right.
    removals.sort((left, right) => compare(right.path, left.path))
    const done = new Set<string>()
    for (const { path, by } of removals) {
      const key = JSON.stringify(path)
      if (!done.has(key)) remove(rest, path, by)
      done.add(key)
    }
    parsed = schema.safeParse(rest)
    if (parsed.success) return { value: parsed.data, isPartial: true }
  }
  return undefined
}

/** Returns the deepest part on the path that the schema can miss. */
function removalOf(schema: z.core.$ZodType, path: readonly PropertyKey[]): Removal | undefined {
  let found: Removal | undefined
  let node = schema as z.core.$ZodTypes | undefined
  for (let length = 0; node !== undefined; length += 1) {
    const { def } = unwrapped(node, by => {
      if (length > 0) found = { length, by }
    })._zod
    if (length === path.length) return found
    const key = path[length] as PropertyKey
    switch (def.type) {
      case 'object':
        node = def.shape[String(key)] as z.core.$ZodTypes | undefined
        break
      case 'array':
        found = { length: length + 1, by: 'splice' }
        node = def.element as z.core.$ZodTypes
        break
      case 'record':
        found = { length: length + 1, by: 'delete' }
        node = def.valueType as z.core.$ZodTypes
        break
      default:
        node = undefined
    }
  }
  return found
}

/** Returns the schema inside of schemas that allow no value. `canMiss`: called for each of these, from the outside. */
function unwrapped(node: z.core.$ZodTypes, canMiss: (by: Removal['by']) => void): z.core.$ZodTypes {
  const { def } = node._zod
  switch (def.type) {
    case 'nullable':
      canMiss('null')
      return unwrapped(def.innerType as z.core.$ZodTypes, canMiss)
    case 'optional':
    case 'default':
      canMiss('delete')
      return unwrapped(def.innerType as z.core.$ZodTypes, canMiss)
    default:
      return node
  }
}

function remove(value: unknown, path: readonly PropertyKey[], by: Removal['by']): void {
  const key = path.at(-1) as PropertyKey
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((inner, part) => (inner as Json | undefined)?.[part], value)
  if (typeof parent !== 'object' || parent === null) return
  if (by === 'splice' && Array.isArray(parent)) parent.splice(Number(key), 1)
  else if (by === 'null') (parent as Json)[key] = null
  else delete (parent as Json)[key]
}

type Json = Record<PropertyKey, unknown>

/** Compares paths: numbers by value, names as texts, and a path before the paths inside of it. */
function compare(left: readonly PropertyKey[], right: readonly PropertyKey[]): number {
  for (const [place, part] of left.entries()) {
    const other = right[place]
    if (other === undefined) return 1
    if (part === other) continue
    if (typeof part === 'number' && typeof other === 'number') return part - other
    return String(part) < String(other) ? -1 : 1
  }
  return left.length - right.length
}
