// The oldest Node that users may run the packages on, where there is one: the file that VERA_OLDER_NODE names, else
// a Node in PATH that is older than ours and new enough for `engines`. It is no dependency of the project: 170 MB
// would be added to every clone, and the types of that Node (test/node-floor) find most of what it lacks.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { versions } from 'node:process'
import { nodeVersionProblem } from '../../plugboard/node-version.ts'

/** Its path. Undefined: this machine has none. Throws when VERA_OLDER_NODE names something else. */
export function findOlderNode(): string | undefined {
  const named = process.env.VERA_OLDER_NODE
  if (named !== undefined && named !== '') {
    if (isOlderNode(named)) return named
    throw new Error(`VERA_OLDER_NODE=${named} is no Node that "engines" allows and that is older than ours`)
  }
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.map(folder => join(folder, 'node')).find(isOlderNode)
}

function isOlderNode(path: string): boolean {
  if (!existsSync(path)) return false
  const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().replace(/^v/, '')
  return nodeVersionProblem(version) === undefined && majorOf(version) < majorOf(versions.node)
}

function majorOf(version: string): number {
  return Number(version.split('.', 1)[0])
}
