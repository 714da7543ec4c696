// Generates values for a JSON Schema: at, below and above each limit of the schema, of each other type, and with each change
// that a format may forbid. Each case is a complete value that is minimal except at the place under test, so that only this
// place can cause a rejection.

import type { JsonSchema, JsonSchemaReader } from './json-schema.ts'

export interface SchemaCase {
  /** JSON pointer to the value under test. */
  readonly place: string
  readonly body: unknown
  /** The schema of the place. */
  readonly schema: JsonSchema
}

type Wrap = (value: unknown) => unknown

const OTHER_TYPES: readonly unknown[] = [null, true, 7, 'x', [], {}]
/** Names that every object of JavaScript inherits. */
const FOREIGN_KEYS = ['x-other', '__proto__', 'constructor', 'toString', '']
const PIECES = [
  '',
  ' ',
  '\t',
  '\n',
  '\r',
  '\u0000',
  '\u007f',
  '\u0085',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\ud800',
  '\udc00',
  'é',
  'ß',
  'İ',
  '。',
  '😀',
  'A',
  'z',
  '0',
  '-',
  '_',
  '.',
  '..',
  '*',
  '**',
  '/',
  '//',
  '\\',
  '%',
  '%2F',
  '%2f',
  '%zz',
  '%00',
  ':',
  '::',
  ':80',
  ';',
  ',',
  '"',
  "'",
  '#',
  '?',
  '@',
  '{',
  '}',
  '{host}',
  '{x}',
  '<',
  '=',
  '+',
  '~',
  '~2',
  '$',
  '^',
  '|',
  '&',
  '!',
  '(',
  '[',
  ']',
  '`',
  '99999',
  'http://',
  '--',
  'xn--',
]

export class SchemaCases {
  readonly #reader: JsonSchemaReader
  #turn = 0

  constructor(reader: JsonSchemaReader) {
    this.#reader = reader
  }

  /** Returns the smallest value that the schema allows. */
  sample(written: JsonSchema): unknown {
    const schema = this.#reader.resolve(written)
    if (schema.example !== undefined) return schema.example
    if (schema.default !== undefined) return schema.default
    if (schema.enum !== undefined) return (schema.enum as unknown[])[0]
    if (schema.anyOf !== undefined) return this.sample((schema.anyOf as JsonSchema[])[0] as JsonSchema)
    switch ([schema.type].flat()[0]) {
      case 'string':
        return 'a'.repeat(Math.max(1, (schema.minLength as number | undefined) ?? 0))
      case 'integer':
      case 'number':
        return Math.max(1, (schema.minimum as number | undefined) ?? 1)
      case 'boolean':
        return true
      case 'array':
        return this.#arrayOf(schema, (schema.minItems as number | undefined) ?? 0)
      case 'object':
        return this.#objectWith(schema, {})
      case 'null':
        return null
      default:
        throw new Error(`a schema without a type: ${JSON.stringify(schema)}`)
    }
  }

  /** Returns the cases at each limit. They are the same in each run. */
  limits(schema: JsonSchema): SchemaCase[] {
    return [
      ...this.#walk(
        schema,
        value => value,
        '',
        each => this.#edges(each),
      ),
    ]
  }

  /** Returns cases with one piece of text inserted into each string. They are many, so callers choose some of them. */
  edits(schema: JsonSchema): SchemaCase[] {
    return [
      ...this.#walk(
        schema,
        value => value,
        '',
        each => this.#edited(each),
      ),
    ]
  }

  *#walk(
    written: JsonSchema,
    wrap: Wrap,
    place: string,
    values: (schema: JsonSchema) => Iterable<unknown>,
  ): Generator<SchemaCase> {
    const schema = this.#reader.resolve(written)
    for (const value of values(schema)) yield { place, schema, body: wrap(value) }
    for (const branch of (schema.anyOf ?? []) as JsonSchema[]) yield* this.#walk(branch, wrap, place, values)
    const properties = (schema.properties ?? {}) as Record<string, JsonSchema>
    for (const [name, each] of Object.entries(properties)) {
      const around: Wrap = value => wrap(this.#objectWith(schema, { [name]: value }))
      yield* this.#walk(each, around, `${place}/${name}`, values)
    }
    if (isSchema(schema.additionalProperties)) {
      const names = (schema.propertyNames ?? {}) as JsonSchema
      const key = String(names.example ?? 'a')
      const around: Wrap = value => wrap({ [key]: value })
      yield* this.#walk(schema.additionalProperties, around, `${place}/${key.replaceAll('/', '~1')}`, values)
      const keyed: Wrap = name =>
        wrap(ownProperty(String(name), this.sample(schema.additionalProperties as JsonSchema)))
      if (schema.propertyNames !== undefined)
        for (const name of values({ ...names, type: 'string' }))
          if (typeof name === 'string')
            yield { place: `${place}/${key.replaceAll('/', '~1')}`, schema: names, body: keyed(name) }
    }
    if (isSchema(schema.items)) {
      const fill = this.#arrayOf(schema, Math.max(0, ((schema.minItems as number | undefined) ?? 0) - 1))
      yield* this.#walk(schema.items, value => wrap([value, ...fill]), `${place}/0`, values)
    }
  }

  *#edges(schema: JsonSchema): Generator<unknown> {
    const limit = (keyword: string) => schema[keyword] as number | undefined
    yield this.sample(schema)
    // Each place gets only two of them, in turn, because a schema has many places.
    this.#turn += 2
    yield* [0, 1].map(more => OTHER_TYPES[(this.#turn + more) % OTHER_TYPES.length])
    if (schema.enum !== undefined) {
      yield* schema.enum as unknown[]
      for (const each of (schema.enum as unknown[]).slice(0, 2))
        if (typeof each === 'string') yield* [`${each}x`, each.toUpperCase(), ` ${each}`]
    }
    const types = [schema.type].flat()
    if (types.includes('integer') || types.includes('number')) {
      for (const bound of [limit('minimum'), limit('maximum')])
        if (bound !== undefined) yield* [bound - 1, bound, bound + 1, bound + 0.5, String(bound)]
      const { minimum, maximum } = (schema.not ?? {}) as { minimum?: number; maximum?: number }
      for (const bound of [minimum, maximum]) if (bound !== undefined) yield* [bound - 1, bound, bound + 1]
      yield* [0, -0, -1, 1e21, 0.1]
    }
    if (types.includes('boolean')) yield* [true, false, 'true', 0, 'false']
    if (types.includes('string')) {
      for (const bound of [limit('minLength'), limit('maxLength')])
        if (bound !== undefined)
          for (const length of [bound - 1, bound, bound + 1]) yield* this.#textsOf(schema, length)
    }
    if (types.includes('array')) {
      for (const bound of [limit('minItems'), limit('maxItems')])
        if (bound !== undefined)
          for (const length of [bound - 1, bound, bound + 1])
            if (length >= 0) yield this.#arrayOf(schema, length)
      yield this.#arrayOf(schema, 2)
    }
    if (types.includes('object')) yield* this.#objects(schema)
  }

  *#objects(schema: JsonSchema): Generator<unknown> {
    const whole = this.sample(schema) as Record<string, unknown>
    for (const key of FOREIGN_KEYS) yield { ...whole, ...ownProperty(key, 'x') }
    for (const key of (schema.required ?? []) as string[]) {
      const { [key]: _, ...rest } = whole
      yield rest
    }
    const names = Object.keys((schema.properties ?? {}) as object)
    yield this.#objectWith(
      schema,
      Object.fromEntries(names.map(name => [name, this.#sampleOf(schema, name)])),
    )
    const max = schema.maxProperties as number | undefined
    if (max !== undefined && isSchema(schema.additionalProperties)) {
      const value = this.sample(schema.additionalProperties)
      for (const count of [max, max + 1])
        yield Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-Name-${index}`, value]))
    }
  }

  /** Returns texts of this length: one of plain characters, and one of characters with two UTF-16 units. */
  *#textsOf(schema: JsonSchema, length: number): Generator<string> {
    if (length < 0) return
    const example = String(this.sample({ ...schema, type: 'string' }))
    const { minLength: _, maxLength: __, ...form } = schema
    const texts = ['a', '0', example.at(-1) ?? 'a', '😀'].flatMap(filler =>
      [example.length, Math.floor(example.length / 2), 0].map(at => {
        const missing = Math.max(0, length - [...example].length)
        const text = example.slice(0, at) + filler.repeat(missing) + example.slice(at)
        return { filler, text: [...text].slice(0, length).join('') }
      }),
    )
    // A text that violates the format cannot test the length.
    const good = texts.filter(({ text }) => this.#reader.accepts(form, text))
    yield (good[0] ?? texts[0])?.text ?? ''
    const wide = good.find(({ filler }) => filler === '😀')
    if (wide !== undefined) yield wide.text
  }

  *#edited(schema: JsonSchema): Generator<unknown> {
    if (![schema.type].flat().includes('string') || schema.enum !== undefined) return
    const example = String(this.sample({ ...schema, type: 'string' }))
    const middle = Math.floor(example.length / 2)
    for (const piece of PIECES) {
      yield piece
      for (const at of [0, middle, example.length]) yield example.slice(0, at) + piece + example.slice(at)
      yield example.slice(0, middle) + piece + example.slice(middle + 1)
    }
  }

  /** Returns an object with these properties, the required ones, and as many others as the schema demands. */
  #objectWith(schema: JsonSchema, given: Record<string, unknown>): Record<string, unknown> {
    const required = (schema.required ?? []) as string[]
    const missing = required.filter(name => !Object.hasOwn(given, name))
    const object = {
      ...given,
      ...Object.fromEntries(missing.map(name => [name, this.#sampleOf(schema, name)])),
    }
    const min = (schema.minProperties as number | undefined) ?? 0
    for (const name of Object.keys((schema.properties ?? {}) as object)) {
      if (Object.keys(object).length >= min) break
      if (!Object.hasOwn(object, name)) object[name] = this.#sampleOf(schema, name)
    }
    if (isSchema(schema.additionalProperties)) {
      for (let count = Object.keys(object).length; count < min; count += 1)
        object[`X-Name-${count}`] = this.sample(schema.additionalProperties)
    }
    return object
  }

  #sampleOf(schema: JsonSchema, name: string): unknown {
    return this.sample((schema.properties as Record<string, JsonSchema>)[name] as JsonSchema)
  }

  #arrayOf(schema: JsonSchema, length: number): unknown[] {
    return Array.from({ length }, () => this.sample(schema.items as JsonSchema))
  }
}

/** Sets an own property, also for the name `__proto__`. */
function ownProperty(name: string, value: unknown): object {
  return Object.defineProperty({}, name, { value, enumerable: true, configurable: true, writable: true })
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null
}
