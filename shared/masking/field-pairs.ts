// The fields of a message as the inspector keeps them.

/** Names and values, in their order. */
export type FieldPairs = readonly (readonly [name: string, value: string])[]

/** Returns the first value of the field, or undefined without the field. `name`: in lower case. */
export function fieldValue(fields: FieldPairs, name: string): string | undefined {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1]
}
