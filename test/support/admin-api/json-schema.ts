// Checks a value with a JSON Schema (draft 2020-12), as a strict reader of the OpenAPI document does. Supports the keywords
// that the document uses; every other keyword is an error, so that it is not ignored by mistake.

export type JsonSchema = Readonly<Record<string, unknown>>

/** Keywords that describe a value and check no rule. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  'description',
  'example',
  'default',
  'title',
  'format',
  'writeOnly',
  '$defs',
])

export class JsonSchemaReader {
  readonly #definitions: Readonly<Record<string, JsonSchema>>
  readonly #patterns = new Map<string, RegExp>()

  /** `definitions`: the schemas that `#/components/schemas/…` refers to. */
  constructor(definitions: Readonly<Record<string, JsonSchema>>) {
    this.#definitions = definitions
  }

  /** Follows a reference. */
  resolve(schema: JsonSchema): JsonSchema {
    const name =
      typeof schema.$ref === 'string' ? /^#\/components\/schemas\/(.+)$/.exec(schema.$ref)?.[1] : undefined
    if (schema.$ref === undefined) return schema
    const found = name === undefined ? undefined : this.#definitions[name]
    if (found === undefined) throw new Error(`unknown reference: ${String(schema.$ref)}`)
    return found
  }

  /** Returns the schemas of the property or item `key`. */
  within(written: JsonSchema, key: string): JsonSchema[] {
    const schema = this.resolve(written)
    const branches = ((schema.anyOf ?? []) as JsonSchema[]).flatMap(branch => this.within(branch, key))
    const property = ((schema.properties ?? {}) as Record<string, JsonSchema>)[unescaped(key)]
    const others = property ?? schema.additionalProperties ?? schema.items
    return typeof others === 'object' && others !== null ? [...branches, others as JsonSchema] : branches
  }

  accepts(written: JsonSchema, value: unknown): boolean {
    const schema = this.resolve(written)
    return Object.entries(schema).every(([keyword, operand]) => this.#holds(keyword, operand, schema, value))
  }

  #pattern(source: string): RegExp {
    const pattern = this.#patterns.get(source) ?? new RegExp(source, 'u')
    this.#patterns.set(source, pattern)
    return pattern
  }

  #holds(keyword: string, operand: unknown, schema: JsonSchema, value: unknown): boolean {
    if (ANNOTATIONS.has(keyword)) return true
    const schemas = operand as readonly JsonSchema[]
    const limit = operand as number
    switch (keyword) {
      case 'type':
        return [operand].flat().some(type => hasType(value, type as string))
      case 'enum':
        return (operand as readonly unknown[]).includes(value)
      case 'const':
        return operand === value
      case 'anyOf':
        return schemas.some(each => this.accepts(each, value))
      case 'allOf':
        return schemas.every(each => this.accepts(each, value))
      case 'not':
        return !this.accepts(operand as JsonSchema, value)
      case 'pattern':
        return typeof value !== 'string' || this.#pattern(operand as string).test(value)
      case 'minLength':
        return typeof value !== 'string' || [...value].length >= limit
      case 'maxLength':
        return typeof value !== 'string' || [...value].length <= limit
      case 'minimum':
        return typeof value !== 'number' || value >= limit
      case 'maximum':
        return typeof value !== 'number' || value <= limit
      case 'minItems':
        return !Array.isArray(value) || value.length >= limit
      case 'maxItems':
        return !Array.isArray(value) || value.length <= limit
      case 'uniqueItems':
        return operand === false || !Array.isArray(value) || new Set(value).size === value.length
      case 'items':
        return !Array.isArray(value) || value.every(item => this.accepts(operand as JsonSchema, item))
      case 'minProperties':
        return !isObject(value) || Object.keys(value).length >= limit
      case 'maxProperties':
        return !isObject(value) || Object.keys(value).length <= limit
      case 'required':
        return !isObject(value) || (operand as readonly string[]).every(key => Object.hasOwn(value, key))
      case 'propertyNames':
        return !isObject(value) || Object.keys(value).every(key => this.accepts(operand as JsonSchema, key))
      case 'properties':
        return (
          !isObject(value) ||
          Object.entries(operand as Record<string, JsonSchema>).every(
            ([key, each]) => !Object.hasOwn(value, key) || this.accepts(each, value[key]),
          )
        )
      case 'additionalProperties': {
        if (!isObject(value) || operand === true) return true
        const known = (schema.properties ?? {}) as Record<string, unknown>
        const others = Object.keys(value).filter(key => !Object.hasOwn(known, key))
        return operand === false
          ? others.length === 0
          : others.every(key => this.accepts(operand as JsonSchema, value[key]))
      }
      default:
        throw new Error(`unsupported keyword: ${keyword}`)
    }
  }
}

/** Returns the key in a part of a JSON pointer. */
function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
