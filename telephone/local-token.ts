// The token of a Plugboard on this machine, for commands that name none: `npm start` and `plugboard dev` write it to their data
// folder.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isLoopback, tunnelUrl } from './plugboard-url.ts'

const FILE = join('data', 'secrets', 'telephone.jwt')

/** Where the token may be: in the data folder of the current folder, and of the checkout that this program is part of. */
export function localTokenFiles(cwd: string): readonly string[] {
  const checkout = import.meta.filename.includes(`node_modules`) ? [] : [join(import.meta.dirname, '..')]
  return [...new Set([cwd, ...checkout])].map(folder => join(folder, FILE))
}

/** The first of these files. Undefined when a Plugboard is on another machine, because it would get the token unasked. */
export function findLocalToken(plugboards: readonly string[], cwd: string): string | undefined {
  if (!plugboards.every(plugboard => isLoopback(tunnelUrl(plugboard)))) return undefined
  return localTokenFiles(cwd).find(existsSync)
}
