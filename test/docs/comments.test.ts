// Comments must name files that exist. A file that is moved or renamed would otherwise leave a comment with a wrong path.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT, read } from './generated-tables.ts'

const FOLDERS = ['shared', 'plugboard', 'telephone', 'migrations', 'docker', 'scripts', 'test']
const FILES = FOLDERS.flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(path => `${folder}/${path}`),
).filter(path => /\.(ts|cjs)$/.test(path) && !/(^|\/)(node_modules|dist|data)\//.test(path))

/** Each path, with and without its leading folders. */
const NAMES = new Set([
  'vitest.config.ts',
  ...FILES.flatMap(path => {
    const parts = path.split('/')
    return parts.map((_, from) => parts.slice(from).join('/'))
  }),
])

/** Returns the names of source files in the comments of a text. */
function filesInComments(text: string): string[] {
  return text
    .split('\n')
    .map(line => /^\s*\/?\*+ .*|(?<=^|\s)\/\/ .*/.exec(line)?.[0] ?? '')
    .flatMap(comment => [...comment.matchAll(/(?<![\w./@-])(?:[\w-]+\/)*[\w-]+\.(?:ts|cjs)\b/g)])
    .map(([name]) => name)
}

it('each comment names files that exist', () => {
  const wrong = FILES.flatMap(file =>
    filesInComments(read(file))
      .filter(name => !NAMES.has(name))
      .map(name => `${file}: ${name}`),
  )
  expect(wrong).toEqual([])
})

it('finds the names of files in comments, and no others', () => {
  const text = [
    '// See http1/response.ts, and check-node.cjs.',
    "import './nowhere' // as in main.ts",
    '/** Types: shared/errors.ts. */',
    ' * clock.ts',
    `open('unknown${'.ts'}')`,
  ]
  const found = ['http1/response.ts', 'check-node.cjs', 'main.ts', 'shared/errors.ts', 'clock.ts']
  expect(filesInComments(text.join('\n'))).toEqual(found)
})
