// The oldest Node that users may run the packages on, where there is one: the file that VERA_OLDER_NODE names, else
// a Node in PATH that is older than ours and new enough for `engines`. It is no dependency of the project: 170 MB
// would be added to every clone, and the types of that Node (test/node-floor) find most of what it lacks.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { versions } from 'node:process'

type Version = readonly [number, number]

/** Its path. Undefined: this machine has none. Throws when VERA_OLDER_NODE names something else. */
export function findOlderNode(): string | undefined {
  const named = process.env.VERA_OLDER_NODE
  if (named !== undefined && named !== '') {
    if (isOlderNode(named)) return named
    throw new Error(`VERA_OLDER_NODE=${named} is no Node between ${oldestVersion().join('.')} and ours`)
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.map(folder => join(folder, 'node')).find(isOlderNode)
}

function isOlderNode(path: string): boolean {
  if (!existsSync(path)) return false
  const [major, minor] = parse(execFileSync(path, ['--version'], { encoding: 'utf8' }))
  const [oldestMajor, oldestMinor] = oldestVersion()
  const newEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
  return newEnough && major < parse(versions.node)[0]
}

function oldestVersion(): Version {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    engines: { node: string }
  }
  return parse(manifest.engines.node)
}

function parse(text: string): Version {
  const match = /^(?:v|>=)?(\d+)\.(\d+)/.exec(text)
  if (match === null) throw new Error(`this is no version of Node: ${text}`)
  return [Number(match[1]), Number(match[2])]
}
