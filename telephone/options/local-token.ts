// The token of a Plugboard on this machine, for commands that name none: `npm start` and `plugboard dev` write it to their data
// folder.

import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isLoopback, tunnelUrl } from '../tunnel/plugboard-url.ts'

const FILE = join('data', 'secrets', 'telephone.jwt')

/** Where the token may be: in the data folder of the current folder, and of the checkout that this program is part of. */
export function localTokenFiles(cwd: string, program = process.argv[1]): readonly string[] {
  const checkout = checkoutOf(program)
  const folders = checkout === undefined ? [cwd] : [cwd, checkout]
  return [...new Set(folders)].map(folder => join(folder, FILE))
}

/** The folder above `telephone/`, when the program is a source file. Undefined for a bundle, an installed package, a library. */
function checkoutOf(program: string | undefined): string | undefined {
  if (program === undefined || !existsSync(program)) return undefined
  const file = realpathSync(program)
  const folder = dirname(file)
  const isSource = basename(folder) === 'telephone' && /^(main\.ts|launch\.cjs)$/.test(basename(file))
  return isSource && existsSync(join(folder, 'main.ts')) ? dirname(folder) : undefined
}

/** The first of these files. Undefined when a Plugboard is on another machine, because it would get the token unasked. */
export function findLocalToken(plugboards: readonly string[], cwd: string): string | undefined {
  if (!plugboards.every(plugboard => isLoopback(tunnelUrl(plugboard)))) return undefined
  return localTokenFiles(cwd).find(existsSync)
}
