// A backtracking matcher that counts its steps: a simple, slow twin of the engine for regular expressions. When the steps of a
// pattern grow faster than the text, a peer that chooses the text can block a server. The matcher supports the syntax that this
// repository uses, and throws for any other syntax. The engine evaluates the sets of characters.

/** One node of a pattern. A set matches one character. */
type Node =
  | {
      readonly kind: 'set'
      readonly has: (character: string) => boolean
      readonly examples: readonly string[]
    }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly branches: readonly Node[] }
  | {
      readonly kind: 'repeat'
      readonly body: Node
      readonly min: number
      readonly max: number
      readonly lazy: boolean
    }
  | { readonly kind: 'look'; readonly body: Node; readonly negative: boolean }
  | { readonly kind: 'edge'; readonly edge: '^' | '$' | 'b' }

export interface SteppedPattern {
  /** Steps of a search, or of a replacement of all matches when the pattern is global; at most MAX_STEPS. */
  steps(text: string): number
  matches(text: string): boolean
  /** One character for each way to belong to the sets of the pattern. */
  readonly alphabet: readonly string[]
  /** Returns a text that the pattern matches, or nearly. `pick(n)`: 0 to n - 1. */
  sample(pick: (count: number) => number): string
}

/** The limit of steps. The twin stops here, because some patterns would run for too long. */
export const MAX_STEPS = 300_000

/** ASCII, and a few other characters. */
const CHARACTERS = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  'é',
  '\u2028',
  '😀',
]

export function steppedPattern(source: string, flags: string): SteppedPattern {
  const sets: ((character: string) => boolean)[] = []
  const root = new PatternReader(source, flags, sets).read()
  const bySignature = new Map<string, string>()
  for (const character of CHARACTERS) {
    const signature = sets.map(has => (has(character) ? 1 : 0)).join('')
    const known = bySignature.get(signature)
    // A visible character is easier to read in a report.
    if (known === undefined || (known < '!' && character <= '~')) bySignature.set(signature, character)
  }
  return {
    steps: text => new Matcher(text, flags).run(root).steps,
    matches: text => new Matcher(text, flags.replace('g', '')).run(root).matched,
    alphabet: [...bySignature.values()],
    sample: pick => sampleOf(root, pick),
  }
}

function sampleOf(node: Node, pick: (count: number) => number): string {
  switch (node.kind) {
    case 'set':
      return node.examples[pick(node.examples.length)] ?? ''
    case 'sequence':
      return node.parts.map(part => sampleOf(part, pick)).join('')
    case 'choice':
      return sampleOf(node.branches[pick(node.branches.length)] as Node, pick)
    case 'repeat': {
      const count = Math.min(node.min + pick(3), node.max)
      return Array.from({ length: count }, () => sampleOf(node.body, pick)).join('')
    }
    default:
      return ''
  }
}

/** Parses the source of a pattern into nodes. */
class PatternReader {
  readonly #source: string
  readonly #flags: string
  readonly #sets: ((character: string) => boolean)[]
  #at = 0

  constructor(source: string, flags: string, sets: ((character: string) => boolean)[]) {
    this.#source = source
    this.#flags = flags.replace(/[gy]/g, '')
    this.#sets = sets
  }

  read(): Node {
    const root = this.#choice()
    if (this.#at < this.#source.length) throw new Error(`unexpected ${this.#source.slice(this.#at)}`)
    return root
  }

  #choice(): Node {
    const branches = [this.#sequence()]
    while (this.#take('|')) branches.push(this.#sequence())
    return branches.length === 1 ? (branches[0] as Node) : { kind: 'choice', branches }
  }

  #sequence(): Node {
    const parts: Node[] = []
    while (this.#at < this.#source.length && this.#next !== '|' && this.#next !== ')')
      parts.push(this.#term())
    return { kind: 'sequence', parts }
  }

  #term(): Node {
    const body = this.#atom()
    const bounds = this.#bounds()
    return bounds === undefined ? body : { kind: 'repeat', body, ...bounds, lazy: this.#take('?') }
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { min: 0, max: 1 }
    const [text, min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at)) ?? []
    if (text === undefined) return undefined
    this.#at += text.length
    if (comma === '') return { min: Number(min), max: Number(min) }
    return { min: Number(min), max: max === '' ? Number.POSITIVE_INFINITY : Number(max) }
  }

  #atom(): Node {
    if (this.#take('^')) return { kind: 'edge', edge: '^' }
    if (this.#take('$')) return { kind: 'edge', edge: '$' }
    if (this.#take('\\b')) return { kind: 'edge', edge: 'b' }
    if (this.#take('(')) return this.#group()
    const [atom] =
      /^(?:\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[pP]\{\w+\}|[^xupPk1-9])|\[(?:\\.|[^\]\\])*\]|[^\\*+?{[\]])/su.exec(
        this.#source.slice(this.#at),
      ) ?? []
    if (atom === undefined) throw new Error(`unknown syntax: ${this.#source.slice(this.#at)}`)
    this.#at += atom.length
    return this.#set(atom)
  }

  #group(): Node {
    const look = this.#take('?=') ? 'positive' : this.#take('?!') ? 'negative' : undefined
    if (look === undefined) this.#take('?:')
    if (this.#next === '?') throw new Error(`unknown group: ${this.#source.slice(this.#at)}`)
    const body = this.#choice()
    if (!this.#take(')')) throw new Error('a group has no end')
    return look === undefined ? body : { kind: 'look', body, negative: look === 'negative' }
  }

  #set(atom: string): Node {
    const pattern = new RegExp(`^${atom}$`, this.#flags)
    const known = new Map<string, boolean>()
    const has = (character: string): boolean => {
      const before = known.get(character)
      if (before !== undefined) return before
      const result = pattern.test(character)
      known.set(character, result)
      return result
    }
    this.#sets.push(has)
    const members = CHARACTERS.filter(has)
    const visible = members.filter(character => character > ' ')
    return { kind: 'set', has, examples: visible.length > 0 ? visible : members }
  }

  get #next(): string | undefined {
    return this.#source[this.#at]
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }
}

class TooManySteps extends Error {}

/** Tries to match from one position; `then` is the rest of the pattern. */
class Matcher {
  readonly #text: string
  readonly #flags: string
  #steps = 0
  #end = 0

  constructor(text: string, flags: string) {
    this.#text = text
    this.#flags = flags
  }

  run(root: Node): { matched: boolean; steps: number } {
    try {
      return this.#search(root)
    } catch (error) {
      if (!(error instanceof TooManySteps)) throw error
      return { matched: false, steps: MAX_STEPS }
    }
  }

  #search(root: Node): { matched: boolean; steps: number } {
    const anchored = (startsAtBeginning(root) && !this.#flags.includes('m')) || this.#flags.includes('y')
    for (let start = 0; start <= this.#text.length; ) {
      const matched = this.#match(root, start, end => {
        this.#end = end
        return true
      })
      if (anchored || (matched && !this.#flags.includes('g'))) return { matched, steps: this.#steps }
      start = matched ? Math.max(this.#end, start + 1) : start + 1
    }
    return { matched: false, steps: this.#steps }
  }

  #match(node: Node, at: number, then: (end: number) => boolean): boolean {
    switch (node.kind) {
      case 'set':
        return this.#has(node, at) && then(at + 1)
      case 'sequence':
        return this.#sequence(node.parts, 0, at, then)
      case 'choice':
        return node.branches.some(branch => this.#match(branch, at, then))
      case 'repeat':
        return node.body.kind === 'set' ? this.#run(node, at, then) : this.#repeat(node, 0, at, then)
      case 'look':
        return this.#match(node.body, at, () => true) !== node.negative && then(at)
      case 'edge':
        return this.#isEdge(node.edge, at) && then(at)
    }
  }

  #sequence(parts: readonly Node[], index: number, at: number, then: (end: number) => boolean): boolean {
    const part = parts[index]
    if (part === undefined) return then(at)
    return this.#match(part, at, end => this.#sequence(parts, index + 1, end, then))
  }

  /** A repeated set needs no recursion. */
  #run(node: Node & { kind: 'repeat' }, at: number, then: (end: number) => boolean): boolean {
    let count = 0
    while (count < node.min) {
      if (!this.#has(node.body as Node & { kind: 'set' }, at + count)) return false
      count += 1
    }
    if (node.lazy) {
      while (!then(at + count)) {
        if (count >= node.max || !this.#has(node.body as Node & { kind: 'set' }, at + count)) return false
        count += 1
      }
      return true
    }
    while (count < node.max && this.#has(node.body as Node & { kind: 'set' }, at + count)) count += 1
    for (; count >= node.min; count -= 1) {
      this.#step()
      if (then(at + count)) return true
    }
    return false
  }

  #repeat(
    node: Node & { kind: 'repeat' },
    count: number,
    at: number,
    then: (end: number) => boolean,
  ): boolean {
    this.#step()
    if (node.lazy && count >= node.min && then(at)) return true
    const again = (end: number) => (end > at || count < node.min) && this.#repeat(node, count + 1, end, then)
    if (count < node.max && this.#match(node.body, at, again)) return true
    return !node.lazy && count >= node.min && then(at)
  }

  #has({ has }: Node & { kind: 'set' }, at: number): boolean {
    this.#step()
    const character = this.#text[at]
    return character !== undefined && has(character)
  }

  #step(): void {
    this.#steps += 1
    if (this.#steps >= MAX_STEPS) throw new TooManySteps()
  }

  #isEdge(edge: '^' | '$' | 'b', at: number): boolean {
    this.#step()
    const before = this.#text[at - 1]
    const after = this.#text[at]
    if (edge === 'b') return isWord(before) !== isWord(after)
    const neighbour = edge === '^' ? before : after
    return neighbour === undefined || (this.#flags.includes('m') && neighbour === '\n')
  }
}

const isWord = (character: string | undefined): boolean => character !== undefined && /\w/.test(character)

/** True for a pattern that the engine tries at the first character only. */
function startsAtBeginning(node: Node): boolean {
  switch (node.kind) {
    case 'edge':
      return node.edge === '^'
    case 'sequence':
      return node.parts[0] !== undefined && startsAtBeginning(node.parts[0])
    case 'choice':
      return node.branches.every(startsAtBeginning)
    default:
      return false
  }
}
