// Collects every regular expression of the product from the syntax trees of its files: the literals, and the expressions that
// are built when a file is loaded.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'

export interface ProductPattern {
  /** `file:line` of a literal. The file of a pattern that is built. */
  readonly where: string
  readonly source: string
  readonly flags: string
}

const ROOT = join(import.meta.dirname, '../../..')

/** Returns all patterns. Throws when a file builds a pattern at a later time than its load. */
export async function productPatterns(): Promise<ProductPattern[]> {
  const patterns: ProductPattern[] = []
  for (const file of globSync('{shared,plugboard,telephone}/**/*.ts', { cwd: ROOT }).sort()) {
    if (/(?:^|\/)(?:node_modules|dist|testing)\/|\.test\.ts$/.test(file)) continue
    const text = readFileSync(join(ROOT, file), 'utf8')
    let constructed = 0
    walk(parseAst(text, { lang: 'ts' }, file), node => {
      const { regex, start } = node as { regex?: { pattern: string; flags: string }; start: number }
      if (regex !== undefined) {
        const line = text.slice(0, start).split('\n').length
        patterns.push({ where: `${file}:${line}`, source: regex.pattern, flags: regex.flags })
      }
      const { type, callee } = node as { type?: string; callee?: { name?: string } }
      if ((type === 'NewExpression' || type === 'CallExpression') && callee?.name === 'RegExp')
        constructed += 1
    })
    if (constructed > 0) patterns.push(...(await constructedIn(file, constructed)))
  }
  return patterns
}

async function constructedIn(file: string, expected: number): Promise<ProductPattern[]> {
  // Loads the imports of the file first. Otherwise their patterns would count as its own, unless another test of this process has
  // loaded them already.
  await import(join(ROOT, file))
  const before = globalThis.RegExp
  const made: ProductPattern[] = []
  globalThis.RegExp = new Proxy(before, {
    construct(target, [source, flags]: [string, string?]) {
      made.push({ where: file, source, flags: flags ?? '' })
      return new target(source, flags)
    },
  })
  try {
    // With the query, the file is loaded again, also when another test of this process has already loaded it.
    await import(`${join(ROOT, file)}?patterns`)
  } finally {
    globalThis.RegExp = before
  }
  if (made.length < expected)
    throw new Error(`${file} builds a pattern later than at its load: write a literal`)
  return made
}

function walk(value: unknown, visit: (node: object) => void): void {
  if (Array.isArray(value)) for (const each of value) walk(each, visit)
  else if (typeof value === 'object' && value !== null && !(value instanceof RegExp)) {
    visit(value)
    for (const each of Object.values(value)) walk(each, visit)
  }
}
