// Route options that had another name in an older version. Migration 0011 renames them in stored rows. The change log, snapshot
// files of replicas, and exports that users keep still have the old names: replicas read both names, users write the new one.

import type { JsonObject } from './json.ts'

/** Old name → name. */
const RENAMED: Readonly<Record<string, string>> = { answer: 'respond' }

/** Returns the problem with the name of an option that a user has written, or undefined. */
export function renamedOptionProblem(name: string): string | undefined {
  if (!Object.hasOwn(RENAMED, name)) return undefined
  return `this option is named "${RENAMED[name]}" now: rename the key`
}

/** Returns the options with their current names. Where both names are present, the current one applies. */
export function withCurrentNames(options: JsonObject): JsonObject {
  if (!Object.keys(RENAMED).some(name => Object.hasOwn(options, name))) return options
  const entries = Object.entries(options).flatMap(([name, value]) => {
    if (!Object.hasOwn(RENAMED, name)) return [[name, value] as const]
    const current = RENAMED[name]!
    return Object.hasOwn(options, current) ? [] : [[current, value] as const]
  })
  return Object.fromEntries(entries)
}
