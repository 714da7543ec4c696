// Splits the text of a bundle into its parts while it arrives: the elements of the lists `services` and `routes`, and the values of
// other keys. Each part is parsed alone, so a large bundle never blocks the event loop, and no text of it stays in memory.
//
//   { "version": 1, "services": [ {…}, {…} ], "routes": [ {…} ] }
//                                 └part┘ └part┘

import { RequestError } from '../http/problem.ts'

/** The largest part, the same as for the body of a single write. */
const MAX_PART_BYTES = 256 * 1024
/** Objects and lists in one another, within a part. */
const MAX_DEPTH = 64
const MAX_KEY_BYTES = 256

export type BundleList = 'services' | 'routes'

/** `pointer`: JSON pointer into the bundle, such as `/routes/3` or `/version`. */
export type BundlePart =
  /** The beginning of a list. */
  | { readonly kind: 'list'; readonly list: BundleList }
  | {
      readonly kind: 'element'
      readonly list: BundleList
      readonly index: number
      readonly pointer: string
      readonly value: unknown
    }
  | { readonly kind: 'value'; readonly key: string; readonly pointer: string; readonly value: unknown }

type State =
  | 'start'
  | 'first key'
  | 'key'
  | 'colon'
  | 'value'
  | 'first element'
  | 'element'
  | 'after element'
  | 'after value'
  | 'end'

const byte = (character: string): number => character.charCodeAt(0)
const QUOTE = byte('"')
const BACKSLASH = byte('\\')
const COMMA = byte(',')
const COLON = byte(':')
const OPEN_OBJECT = byte('{')
const CLOSE_OBJECT = byte('}')
const OPEN_LIST = byte('[')
const CLOSE_LIST = byte(']')

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

export class BundleScanner {
  #state: State = 'start'
  #key = ''
  #index = 0
  readonly #keys = new Set<string>()
  /** The bytes of an open part that arrived in earlier chunks. */
  #before: Uint8Array[] = []
  #beforeBytes = 0
  /** True while a part is open. */
  #open = false
  #depth = 0
  #inString = false
  #escaped = false
  /** Colons outside of strings: the number of keys in the text of the part. */
  #pairs = 0

  /** Throws `invalid_request` when the text ended within the bundle. */
  end(): void {
    if (this.#state !== 'end') throw this.#malformed()
  }

  /** Yields the parts that end in this chunk. Throws `invalid_request`. */
  *push(chunk: Uint8Array): Generator<BundlePart> {
    let from = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const code = chunk[at]!
      if (this.#open) {
        const end = this.#advance(code, at)
        if (end === undefined) continue
        const text = this.#take(chunk.subarray(from, end))
        const part = this.#partOf(text)
        if (part !== undefined) yield part
        // The delimiter after a number belongs to the object or the list around it.
        if (end === at) at -= 1
        continue
      }
      if (isSpace(code)) continue
      const isBegin = this.#state === 'value' && this.#isList() && code === OPEN_LIST
      if (isBegin) yield { kind: 'list', list: this.#key as BundleList }
      if (this.#step(code)) {
        from = at
        if (code === QUOTE) this.#inString = true
        else if (code === OPEN_OBJECT || code === OPEN_LIST) this.#depth = 1
      }
    }
    if (this.#open) {
      const rest = chunk.subarray(from)
      this.#hold(rest.length)
      // A copy, because the owner of the chunk may use its memory again.
      this.#before.push(Uint8Array.from(rest))
    }
  }

  /** Handles a byte outside of parts. Returns true when a part begins with it. */
  #step(code: number): boolean {
    switch (this.#state) {
      case 'start':
        if (code !== OPEN_OBJECT) break
        this.#state = 'first key'
        return false
      case 'first key':
        if (code === CLOSE_OBJECT) return this.#to('end')
        if (code === QUOTE) return this.#begin('key')
        break
      case 'key':
        if (code === QUOTE) return this.#begin('key')
        break
      case 'colon':
        if (code === COLON) return this.#to('value')
        break
      case 'value':
        if (!this.#isList() || code !== OPEN_LIST) return this.#begin('value')
        this.#index = 0
        return this.#to('first element')
      case 'first element':
        if (code === CLOSE_LIST) return this.#to('after value')
        return this.#begin('element')
      case 'element':
        return this.#begin('element')
      case 'after element':
        if (code === CLOSE_LIST) return this.#to('after value')
        if (code !== COMMA) break
        this.#index += 1
        return this.#to('element')
      case 'after value':
        if (code === CLOSE_OBJECT) return this.#to('end')
        if (code === COMMA) return this.#to('key')
        break
      case 'end':
        break
    }
    throw this.#malformed()
  }

  #to(state: State): false {
    this.#state = state
    return false
  }

  #begin(state: 'key' | 'value' | 'element'): true {
    this.#state = state
    this.#open = true
    this.#pairs = 0
    return true
  }

  /** Handles a byte of a part after its first one. Returns the index behind the part when the part ends. */
  #advance(code: number, at: number): number | undefined {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (code === BACKSLASH) this.#escaped = true
      else if (code === QUOTE) {
        this.#inString = false
        if (this.#depth === 0) return at + 1
      }
      return undefined
    }
    switch (code) {
      case QUOTE:
        this.#inString = true
        return undefined
      case COLON:
        this.#pairs += 1
        return undefined
      case OPEN_OBJECT:
      case OPEN_LIST:
        this.#depth += 1
        if (this.#depth > MAX_DEPTH)
          throw this.#wrong(`has more than ${MAX_DEPTH} objects and lists in one another`)
        return undefined
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        if (this.#depth === 0) return at
        this.#depth -= 1
        return this.#depth === 0 ? at + 1 : undefined
      default:
        return this.#depth === 0 && (code === COMMA || isSpace(code)) ? at : undefined
    }
  }

  #hold(bytes: number): void {
    this.#beforeBytes += bytes
    const max = this.#state === 'key' ? MAX_KEY_BYTES : MAX_PART_BYTES
    if (this.#beforeBytes > max) throw this.#wrong(`is longer than ${max} bytes`)
  }

  #take(last: Uint8Array): string {
    this.#hold(last.length)
    const bytes = this.#before.length === 0 ? last : Buffer.concat([...this.#before, last])
    this.#before = []
    this.#beforeBytes = 0
    this.#open = false
    try {
      return UTF_8.decode(bytes)
    } catch (error) {
      throw this.#wrong('is not UTF-8', error)
    }
  }

  /** Returns the part; undefined for a key. */
  #partOf(text: string): BundlePart | undefined {
    const value = this.#parse(text)
    if (this.#state === 'key') {
      this.#key = String(value)
      if (this.#keys.has(this.#key)) throw this.#wrong('is twice in the bundle')
      this.#keys.add(this.#key)
      this.#state = 'colon'
      return undefined
    }
    // JSON.parse keeps the last one of two equal keys. A reader of the file may take the first one.
    if (countKeys(value) !== this.#pairs) throw this.#wrong('has an object with two equal keys')
    const pointer = this.#pointer()
    if (this.#state !== 'element') {
      this.#state = 'after value'
      return { kind: 'value', key: this.#key, pointer, value }
    }
    this.#state = 'after element'
    return { kind: 'element', list: this.#key as BundleList, index: this.#index, pointer, value }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (error) {
      throw this.#wrong('is not valid JSON', error)
    }
  }

  #isList(): boolean {
    return this.#key === 'services' || this.#key === 'routes'
  }

  #pointer(): string {
    if (this.#state === 'start' || this.#state === 'first key' || this.#state === 'end') return ''
    const key = `/${this.#key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const inList =
      this.#state === 'first element' || this.#state === 'element' || this.#state === 'after element'
    return inList ? `${key}/${this.#index}` : key
  }

  #malformed(): RequestError {
    if (this.#state === 'start') return this.#wrong('is not a JSON object')
    return this.#wrong(this.#state === 'end' ? 'has text after its end' : 'is not valid JSON')
  }

  #wrong(detail: string, cause?: unknown): RequestError {
    const pointer = this.#pointer()
    const error = new RequestError('invalid_request', `${pointer || 'The bundle'}: ${detail}`, [
      { pointer, detail },
    ])
    error.cause = cause
    return error
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Returns the number of keys of all objects in the value. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + countKeys(each), 0)
  const values = Object.values(value)
  return values.reduce<number>((sum, each) => sum + countKeys(each), values.length)
}
