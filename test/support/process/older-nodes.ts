// Finds older versions of Node on which users may run the packages. These are the files that VERA_OLDER_NODES names
// (separated as in PATH), else each Node in PATH that is older than ours and new enough for `engines`. They are not a
// dependency of the project, because each one would add 170 MB to a clone. The types of the oldest version (test/node-floor)
// find most missing features.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { versions } from 'node:process'
import { nodeVersionProblem } from '../../../plugboard/node-version.ts'

export interface OlderNode {
  readonly path: string
  readonly major: number
}

/** Returns one Node for each major version, the oldest first. Throws when VERA_OLDER_NODES names any other file. */
export function findOlderNodes(): OlderNode[] {
  const named = pathsIn(process.env.VERA_OLDER_NODES)
  const candidates = named.length > 0 ? named : pathsIn(process.env.PATH).map(folder => join(folder, 'node'))
  const found = new Map<number, OlderNode>()
  for (const path of candidates) {
    const major = olderMajor(path)
    if (major === undefined && named.length > 0) {
      throw new Error(
        `VERA_OLDER_NODES names ${path}: it must be a Node that "engines" allows and that is older than ours`,
      )
    }
    if (major !== undefined && !found.has(major)) found.set(major, { path, major })
  }
  return [...found.values()].sort((a, b) => a.major - b.major)
}

function pathsIn(list: string | undefined): string[] {
  return (list ?? '').split(delimiter).filter(path => path !== '')
}

function olderMajor(path: string): number | undefined {
  if (!existsSync(path)) return undefined
  const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().replace(/^v/, '')
  const major = majorOf(version)
  return nodeVersionProblem(version) === undefined && major < majorOf(versions.node) ? major : undefined
}

function majorOf(version: string): number {
  return Number(version.split('.', 1)[0])
}
