// TypeScript declarations for a library entry of a bundle: those that the entry reaches, with the workspace's
// shared package folded in, since users cannot install that. Types of other packages must not leak out.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, posix, relative } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SHARED = '@vera-stack/shared/'
const SPECIFIER = /(from |import\()(['"])([^'"]+)\2/g

/** Writes `<folder>/<name>.d.ts` for the repository's file `entry`, and what it needs beneath `<folder>/types`. */
export async function emitDeclarations(
  root: string,
  entry: string,
  folder: string,
  name: string,
): Promise<void> {
  const emitted = await mkdtemp(join(tmpdir(), 'declarations-'))
  try {
    const tsc = join(root, 'node_modules/.bin/tsc')
    const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', emitted]
    await run(tsc, ['-p', join(root, 'tsconfig.json'), ...options], { cwd: root })
    const pending = [entry]
    for (const file of pending) {
      const text = await readFile(join(emitted, declarationOf(file)), 'utf8')
      const rewritten = text.replace(SPECIFIER, (whole, before: string, quote: string, specifier: string) => {
        if (specifier.startsWith('node:')) return whole
        const target = workspaceFile(file, specifier)
        if (!pending.includes(target)) pending.push(target)
        const path = relative(dirname(file), target).replace(/\.ts$/, '.js')
        return `${before}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`
      })
      const output = join(folder, 'types', declarationOf(file))
      await mkdir(dirname(output), { recursive: true })
      await writeFile(output, rewritten)
    }
  } finally {
    await rm(emitted, { recursive: true })
  }
  await writeFile(join(folder, `${name}.d.ts`), `export * from './types/${entry.replace(/\.ts$/, '.js')}'\n`)
}

const declarationOf = (file: string) => file.replace(/\.ts$/, '.d.ts')

/** The repository's path of an import in `file`. */
function workspaceFile(file: string, specifier: string): string {
  if (specifier.startsWith(SHARED)) return posix.join('shared', specifier.slice(SHARED.length))
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier)
  throw new Error(`the declarations of ${file} need ${specifier}, which users of the library may not have`)
}
