// Finds the token of a Plugboard on this machine, for commands without a token. `npm start` and `plugboard dev` write this token
// to their data folder.

import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isLoopback, tunnelUrl } from '../tunnel/plugboard-url.ts'

const FILE = join('data', 'secrets', 'telephone.jwt')

/** Returns the possible files: in the data folder of the current folder, and in that of the checkout that contains this program. */
export function localTokenFiles(cwd: string, program = process.argv[1]): readonly string[] {
  const checkout = checkoutOf(program)
  const folders = checkout === undefined ? [cwd] : [cwd, checkout]
  return [...new Set(folders)].map(folder => join(folder, FILE))
}

/** Returns the folder above `telephone/` for a program that is a source file. Undefined for a bundle, a package or a library. */
function checkoutOf(program: string | undefined): string | undefined {
  if (program === undefined || !existsSync(program)) return undefined
  const file = realpathSync(program)
  const folder = dirname(file)
  const isSource = basename(folder) === 'telephone' && /^(main\.ts|launch\.cjs)$/.test(basename(file))
  return isSource && existsSync(join(folder, 'main.ts')) ? dirname(folder) : undefined
}

/** Returns the first existing file. Undefined when a Plugboard is on another machine, which must not receive this token. */
export function findLocalToken(plugboards: readonly string[], cwd: string): string | undefined {
  if (!plugboards.every(plugboard => isLoopback(tunnelUrl(plugboard)))) return undefined
  return localTokenFiles(cwd).find(existsSync)
}
