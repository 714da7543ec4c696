// Masks a JSON text in one pass, without a copy of its values: members with the name of a secret, values at the paths of `maskJson`, and
// secrets within strings. The text may be cut at any place. The text from the first malformed character on is left out, because
// names and values cannot be distinguished there.

import { isSecretName } from './secret-names.ts'
import type { MaskValue } from './value-mask.ts'

/** The segments of a path, such as `['items', '*', 'price']`; `*` matches each member and each element. */
export type JsonPath = readonly string[]

export interface JsonMasking {
  readonly mask: MaskValue
  readonly paths: readonly JsonPath[]
  /** Masks the secrets of a string. */
  readonly maskString: (text: string) => string
}

export interface MaskedJson {
  readonly text: string
  /** False when the text is incomplete, or is not JSON. */
  readonly isComplete: boolean
}

const MAX_DEPTH = 64
const SPACE = /[ \t\r\n]*/y
const STRING = /"(?:[^"\\]|\\.)*"/y
const SCALAR = /(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y
const NUMBER = /^-?\d/
/** An escape, or a control character, which JSON does not allow in a string. */
const NEEDS_PARSER = /\\|[^\u0020-\uffff]/
const BLANK = 0x20

/** Thrown at the end of an incomplete text, and at a malformed character. */
class JsonStop extends Error {
  readonly at: number

  constructor(at: number) {
    super('the JSON text ends here')
    this.at = at
  }
}

export function maskJson(text: string, masking: JsonMasking): MaskedJson {
  const scan = new JsonScan(text, masking)
  try {
    // Several values are a stream of JSON texts (application/x-ndjson).
    do scan.value(masking.paths, 0)
    while (!scan.isAtEnd)
    return { text: scan.output(text.length), isComplete: true }
  } catch (error) {
    if (!(error instanceof JsonStop)) throw error
    return { text: scan.output(error.at), isComplete: false }
  }
}

class JsonScan {
  readonly #text: string
  readonly #masking: JsonMasking
  #at = 0
  #out = ''
  /** The end of the text that is in the output. */
  #kept = 0

  constructor(text: string, masking: JsonMasking) {
    this.#text = text
    this.#masking = masking
  }

  get isAtEnd(): boolean {
    this.#skipSpace()
    return this.#at === this.#text.length
  }

  /** Returns the masked text up to a place in the original one. */
  output(end: number): string {
    return this.#out + this.#text.slice(this.#kept, Math.max(end, this.#kept))
  }

  /** Reads one value. `paths`: the rest of the paths that can still match below it. */
  value(paths: readonly JsonPath[], depth: number): void {
    if (depth > MAX_DEPTH) throw new JsonStop(this.#at)
    this.#skipSpace()
    switch (this.#text[this.#at]) {
      case '{':
        this.#object(paths, depth)
        break
      case '[':
        this.#array(paths, depth)
        break
      case '"':
        this.#string()
        break
      default:
        this.#expect(SCALAR)
    }
  }

  #object(paths: readonly JsonPath[], depth: number): void {
    this.#at += 1
    if (this.#skips('}')) return
    do {
      this.#skipSpace()
      const start = this.#at
      const name = this.#expectString()
      this.#replace(start, this.#masking.maskString(name), name)
      if (!this.#skips(':')) throw new JsonStop(this.#at)
      this.#member(name, isSecretName(name), paths, depth)
    } while (this.#skips(','))
    if (!this.#skips('}')) throw new JsonStop(this.#at)
  }

  #array(paths: readonly JsonPath[], depth: number): void {
    this.#at += 1
    if (this.#skips(']')) return
    let index = 0
    do this.#member(String(index++), false, paths, depth)
    while (this.#skips(','))
    if (!this.#skips(']')) throw new JsonStop(this.#at)
  }

  #member(name: string, isSecret: boolean, paths: readonly JsonPath[], depth: number): void {
    const below = paths.filter(([first]) => first === name || first === '*').map(path => path.slice(1))
    if (isSecret || below.some(path => path.length === 0)) this.#secret(depth)
    else this.value(below, depth + 1)
  }

  /** Replaces a whole value. `true`, `false` and `null` stay, because they are not secrets. */
  #secret(depth: number): void {
    this.#skipSpace()
    const start = this.#at
    const [out, kept] = [this.#out, this.#kept]
    let isCut: JsonStop | undefined
    try {
      this.value([], depth + 1)
    } catch (error) {
      if (!(error instanceof JsonStop)) throw error
      isCut = error
    }
    // The masking of the parts of the value is undone.
    this.#out = out
    this.#kept = kept
    const raw = this.#text.slice(start, isCut === undefined ? this.#at : undefined)
    if (isCut === undefined && !/^["{[]/.test(raw) && !NUMBER.test(raw)) return
    this.#emit(start, JSON.stringify(this.#masking.mask(plainText(raw))))
    if (isCut !== undefined) {
      this.#kept = this.#text.length
      throw isCut
    }
  }

  #string(): void {
    const start = this.#at
    const text = this.#expectString()
    this.#replace(start, this.#masking.maskString(text), text)
  }

  /** Replaces the string that was read since `start`, when masking has changed it. */
  #replace(start: number, masked: string, text: string): void {
    if (masked !== text) this.#emit(start, JSON.stringify(masked))
  }

  #emit(start: number, replacement: string): void {
    this.#out += this.#text.slice(this.#kept, start) + replacement
    this.#kept = this.#at
  }

  #skipSpace(): void {
    // Most JSON texts are compact.
    if (this.#text.charCodeAt(this.#at) > BLANK) return
    SPACE.lastIndex = this.#at
    SPACE.test(this.#text)
    this.#at = SPACE.lastIndex
  }

  #skips(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #expectString(): string {
    const start = this.#at
    const raw = this.#expect(STRING)
    const text = stringOf(raw)
    if (text === undefined) throw new JsonStop(start)
    return text
  }

  #expect(expression: RegExp): string {
    const found = this.#match(expression)
    if (found === undefined) throw new JsonStop(this.#at)
    return found
  }

  #match(expression: RegExp): string | undefined {
    const start = this.#at
    expression.lastIndex = start
    if (!expression.test(this.#text)) return undefined
    this.#at = expression.lastIndex
    return this.#text.slice(start, this.#at)
  }
}

/** Returns the content of a string, so that its hash equals that of the same secret in a header field. */
function plainText(raw: string): string {
  return (raw.startsWith('"') ? stringOf(raw) : undefined) ?? raw
}

/** Returns undefined for a malformed literal. */
function stringOf(literal: string): string | undefined {
  if (!NEEDS_PARSER.test(literal)) return literal.slice(1, -1)
  try {
    return JSON.parse(literal) as string
  } catch {
    return undefined
  }
}
