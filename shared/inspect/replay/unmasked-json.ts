// Leaves masked values out of a JSON text. The rest of the text stays byte for byte: a parse would round large integers, and would remove
// spaces and repeated names.

import { hasMask } from '../../masking/has-mask.ts'

export interface UnmaskedJson {
  readonly text: string
  /** JSON pointers of the members and elements that are left out. */
  readonly leftOut: readonly string[]
}

const MAX_DEPTH = 64
const SPACE = /[ \t\r\n]*/y
const STRING = /"(?:[^"\\]|\\.)*"/y
const OTHER = /[^\s,\]}]+/y

/** Returns undefined when the text is not one JSON value, is nested too deeply, or is a masked string itself. */
export function unmaskedJson(text: string): UnmaskedJson | undefined {
  if (!isJson(text)) return undefined
  const scan = new UnmaskingScan(text)
  const kept = scan.value('', 0)
  return kept === undefined || scan.isTooDeep ? undefined : { text: kept, leftOut: scan.leftOut }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Reads a valid JSON text from its start. */
class UnmaskingScan {
  readonly leftOut: string[] = []
  isTooDeep = false
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Returns the text of the next value, with the spaces around it, without masked parts. Undefined: the value is masked. */
  value(pointer: string, depth: number): string | undefined {
    const before = this.#read(SPACE)
    const kept = this.#plainValue(pointer, depth)
    return kept === undefined ? undefined : before + kept + this.#read(SPACE)
  }

  #plainValue(pointer: string, depth: number): string | undefined {
    const first = this.#text[this.#at]
    if (first === '{' || first === '[') {
      // A text of this depth was not masked here: it is left out as a whole.
      this.isTooDeep ||= depth === MAX_DEPTH
      return this.isTooDeep ? '' : this.#container(pointer, depth)
    }
    if (first !== '"') return this.#read(OTHER)
    const literal = this.#read(STRING)
    return hasMask(contentOf(literal)) ? undefined : literal
  }

  #container(pointer: string, depth: number): string {
    const isObject = this.#text[this.#at] === '{'
    this.#at += 1
    const start = this.#at
    const kept: string[] = []
    for (let index = 0; ; index += 1) {
      const before = this.#read(SPACE)
      if (index === 0 && /[}\]]/.test(this.#text[this.#at] ?? '')) {
        this.#at += 1
        return this.#text.slice(start - 1, this.#at)
      }
      const name = isObject ? this.#name() : undefined
      const place = `${pointer}/${escaped(name?.content ?? String(index))}`
      const found = this.leftOut.length
      const value = this.value(place, depth + 1)
      if (this.isTooDeep) return ''
      if (value === undefined || (name !== undefined && hasMask(name.content))) {
        // The member is left out as a whole, so its parts are not named.
        this.leftOut.length = found
        this.leftOut.push(place)
        if (value === undefined) this.#read(SPACE)
      } else kept.push(before + (name?.text ?? '') + value)
      const separator = this.#text[this.#at]
      this.#at += 1
      if (separator !== ',') break
    }
    return isObject ? `{${kept.join(',')}}` : `[${kept.join(',')}]`
  }

  /** Reads the name of a member, up to its value. */
  #name(): { readonly content: string; readonly text: string } {
    const literal = this.#read(STRING)
    const space = this.#read(SPACE)
    this.#at += 1
    return { content: contentOf(literal), text: `${literal}${space}:` }
  }

  #read(expression: RegExp): string {
    expression.lastIndex = this.#at
    const [found = ''] = expression.exec(this.#text) ?? []
    this.#at += found.length
    return found
  }
}

const contentOf = (literal: string): string =>
  literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1)

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
