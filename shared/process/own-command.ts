// Builds the command that starts one of our programs again from any folder, for messages. A bare `telephone` may not be
// installed, and `npx telephone` outside of a checkout downloads a foreign package. So the command names the installed program
// only when the shell finds exactly this program. Otherwise it names Node and the file by their full paths.

import { accessSync, constants, realpathSync } from 'node:fs'
import { basename, delimiter, dirname, isAbsolute, join, sep } from 'node:path'

export type ProgramName = 'plugboard' | 'telephone'

export interface OwnCommandOptions {
  /** The file of the program. Default: the file of this process. */
  readonly main?: string | undefined
  /** Default: the variables of this process. */
  readonly path?: string | undefined
  /** Default: the Node of this process. */
  readonly node?: string | undefined
}

/**
 * Returns the beginning of a command line for a POSIX shell. Returns the bare name when this process is not one of our
 * programs, as in a test.
 */
export function ownCommand(name: ProgramName, options: OwnCommandOptions = {}): string {
  const { path = process.env.PATH ?? '', node = process.execPath } = options
  const main = realPath(options.main ?? process.argv[1] ?? '')
  if (main === undefined || !/^(launch\.cjs|main\.(ts|js))$/.test(basename(main))) return name
  // npx may delete a copy that it has downloaded at any time. The scoped name is our package, the bare name is not.
  if (main.includes(`${sep}_npx${sep}`)) return `npx @vera-stack/${name}`
  const installed = found(name, path)
  if (installed !== undefined && dirname(installed) === dirname(main)) return name
  const own = realPath(node)
  const interpreter = own !== undefined && found('node', path) === own ? 'node' : shellQuoted(node)
  return `${interpreter} ${shellQuoted(main)}`
}

/** Returns the text, quoted for a POSIX shell when needed. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Returns the file that a shell in another folder runs for this name, without the folders that npm and npx add for their
 * child.
 */
function found(name: string, path: string): string | undefined {
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder) || /[/\\](node_modules[/\\]\.bin|node-gyp-bin)[/\\]?$/.test(folder)) continue
    const file = join(folder, name)
    if (isExecutable(file)) return realPath(file)
  }
  return undefined
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // absent, or not ours to run
  }
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file)
  } catch {
    return undefined // absent
  }
}
