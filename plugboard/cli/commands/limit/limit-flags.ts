// The flags `--limit`, `--limit-key` and `--no-limit` of routes and services. They change the list `rateLimits`: a given limit
// replaces the count and the window of the limit with the same name, or is added. Other limits stay.

import { parseDuration } from '@vera-stack/shared/settings/kind.ts'
import type { Command } from 'commander'
import { isJsonObject } from '../../../common/json.ts'
import { collect } from '../../api/api-command.ts'
import { usageError } from '../../cli-error.ts'

export interface LimitFlags {
  /** False: the user gave `--no-limit`. */
  readonly limit?: readonly string[] | false
  readonly limitKey?: readonly string[]
}

interface GivenLimit {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  readonly key?: readonly unknown[]
}

const WORDS = ['address', 'host', 'tenant', 'method', 'user'] as const
const NAMED = ['header', 'cookie', 'claim'] as const
/** The bounds of the API, checked here so that the message names the limit. */
const MAX_NAME_LENGTH = 64
const MAX_COUNT = 1_000_000_000
const MAX_WINDOW_SECONDS = 2_678_400
/** The value of `--limit-key` for one count of all clients together. */
const ALL = 'all'

/** Adds the flags in the current group of options. */
export function addLimitFlags(command: Command): void {
  command
    .option(
      '--limit <name:count/window>',
      'at most this many requests in each window; several times',
      collect,
    )
    .option(
      '--limit-key <part>',
      `count separately by this value (default address): ${WORDS.join(', ')}, header:NAME, cookie:NAME, ` +
        `claim:/POINTER; several parts count together; ${ALL}: one count for all clients`,
      collect,
    )
}

/** Returns the limits of the flags. Undefined: there are no flags. Null: `--no-limit`. */
export function givenLimits({ limit, limitKey }: LimitFlags): readonly GivenLimit[] | null | undefined {
  if (limit === undefined || limit === false) {
    if (limitKey !== undefined) throw usageError('--limit-key needs --limit NAME:COUNT/WINDOW')
    return limit === false ? null : undefined
  }
  const key = limitKey === undefined ? {} : { key: keyOf(limitKey) }
  const limits = limit.map(text => ({ ...parseLimit(text), ...key }))
  const names = limits.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined)
    throw usageError(`--limit: ${twice} is given twice; choose another name for one of them`)
  return limits
}

/** Returns `rateLimits` after the flags. `present`: the list before. */
export function mergedLimits(limits: readonly GivenLimit[], present: unknown): readonly object[] {
  const list = Array.isArray(present) ? present.filter(isJsonObject) : []
  const changed = list.map(each => ({ ...each, ...limits.find(({ name }) => name === each.name) }))
  return [...changed, ...limits.filter(({ name }) => !list.some(each => each.name === name))]
}

function parseLimit(text: string): GivenLimit {
  const [, name, count, window] = /^([A-Za-z0-9_.-]+):(\d{1,15})\/(.+)$/.exec(text) ?? []
  if (name === undefined || window === undefined) {
    throw usageError(`--limit: "${text}" is not of the form NAME:COUNT/WINDOW, such as login:5/1m`)
  }
  // `100/s` is a common form of `100/1s`.
  const duration = parseDuration(/^\d/.test(window) ? window : `1${window}`)
  if (!duration.ok) throw usageError(`--limit ${name}: ${duration.problem}`)
  if (duration.value < 1000 || duration.value % 1000 !== 0) {
    throw usageError(
      `--limit ${name}: the window ${window} is not a whole number of seconds; write 1s or longer`,
    )
  }
  const limit = Number(count)
  const windowSeconds = duration.value / 1000
  if (name.length > MAX_NAME_LENGTH)
    throw usageError(`--limit ${name}: the name has more than ${MAX_NAME_LENGTH} characters`)
  if (limit < 1 || limit > MAX_COUNT)
    throw usageError(`--limit ${name}: the count ${count} is out of range; write 1 to ${MAX_COUNT}`)
  if (windowSeconds > MAX_WINDOW_SECONDS)
    throw usageError(`--limit ${name}: the window ${window} is longer than 31d; write 31d or less`)
  return { name, limit, windowSeconds }
}

function keyOf(parts: readonly string[]): unknown[] {
  if (!parts.includes(ALL)) return parts.map(parsePart)
  if (parts.length === 1) return []
  throw usageError(`--limit-key: ${ALL} counts all clients together; give it alone, or leave it out`)
}

function parsePart(text: string): unknown {
  if (WORDS.some(word => word === text)) return text
  const colon = text.indexOf(':')
  const kind = NAMED.find(each => each === text.slice(0, Math.max(colon, 0)))
  if (kind !== undefined) return { [kind]: text.slice(colon + 1) }
  const known = `${WORDS.join(', ')}, ${NAMED.map(each => `${each}:NAME`).join(', ')} or ${ALL}`
  throw usageError(`--limit-key: "${text}" is unknown; use ${known}`)
}
