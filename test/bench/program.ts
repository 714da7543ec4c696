// The programs that the bench starts: the bundles, which published packages and images contain, or the sources.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TargetMissing } from './target.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Returns the option `program` of a process; empty for the source. `root`: the checkout that has the bundle. */
export function programOf(
  name: 'plugboard' | 'telephone',
  source: boolean,
  root = ROOT,
): { readonly program?: string } {
  if (source) return {}
  const file = join(root, name, 'dist/main.js')
  if (!existsSync(file)) throw new TargetMissing(`${file} does not exist: create it with npm run build`)
  return { program: file }
}
