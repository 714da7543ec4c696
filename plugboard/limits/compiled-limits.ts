// Limits in the form in which the limiter checks them: with all defaults, and with each value that does not depend on the request.
// Limits are compiled once for each version of a row.

import type { KeyPart } from '../routes/rules/key-part.ts'
import { limitNeedsCredential, type RateLimit } from '../routes/rules/limit-rules.ts'
import type { Quota } from './gcra.ts'
import type { HashKey } from './keyed-hash.ts'
import { compiledParts, ruleKey } from './limit-keys.ts'

/** Shortest window whose counts survive a restart. */
const STORED_WINDOW_SECONDS = 3600

/** Numbers of decisions of one limit on this replica. They continue when the row changes, until the limit is deleted. */
export interface LimitDecisions {
  admitted: number
  rejected: number
  /** Requests above a limit with `enforce: false`, which were admitted. */
  wouldReject: number
}

export interface CompiledLimit extends Quota {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  readonly parts: readonly KeyPart[]
  readonly onMissing: 'address' | 'skip' | 'refuse'
  /** Empty: all paths. */
  readonly path: string
  /** Undefined: all methods. */
  readonly methods: ReadonlySet<string> | undefined
  readonly countsBytes: boolean
  readonly shared: boolean
  /** True when the database keeps its counts: the window is an hour or more. */
  readonly isStored: boolean
  readonly enforced: boolean
  readonly sendsFields: boolean
  /** The value of RateLimit-Policy for this limit. */
  readonly policyField: string
  readonly hashKey: HashKey
  /** Marks the keys of the limit in the table, above 0. Limits whose keys differ have different numbers. */
  readonly owner: number
  readonly decisions: LimitDecisions
}

/** The limits of a row: those that are checked before the route verifies the credential, and those that are checked after it. */
export interface CompiledLimits {
  readonly beforeCredential: readonly CompiledLimit[]
  readonly afterCredential: readonly CompiledLimit[]
}

/** The numbers of limits in this process. */
let owners = 0

/**
 * `rowId`: id of the route or the service. Limits of different rows never share a key. `before`: the limits of an earlier version
 * of the row. Limits with the same name continue their decisions.
 */
export function compileLimits(
  limits: readonly RateLimit[],
  rowId: string,
  before: readonly CompiledLimit[] = [],
): CompiledLimits {
  const compile = (limit: RateLimit): CompiledLimit =>
    compileLimit(
      limit,
      rowId,
      before.find(({ name }) => name === limit.name),
    )
  const [late, others] = [
    limits.filter(limitNeedsCredential),
    limits.filter(each => !limitNeedsCredential(each)),
  ]
  return {
    beforeCredential: others.map(compile),
    afterCredential: late.map(compile),
  }
}

/**
 * The key of the hash contains the numbers of the limit. So when one of them changes, the counts start at 0 on all replicas: after a
 * raise, a client that has used up the old quota can send again at once. Other changes of the row keep the counts.
 */
function compileLimit(rule: RateLimit, rowId: string, before: CompiledLimit | undefined): CompiledLimit {
  const { name, limit, windowSeconds = 1, burst = limit, match, count = 'requests' } = rule
  const intervalMs = (windowSeconds * 1000) / limit
  const unit = count === 'responseBytes' ? ';qu="content-bytes"' : ''
  const key = ruleKey(rowId, name, count, `${limit}/${windowSeconds}/${burst}`)
  const keepsKeys = before?.hashKey.low === key.low && before.hashKey.high === key.high
  if (!keepsKeys) owners += 1
  return {
    name,
    limit,
    windowSeconds,
    burst,
    intervalMs,
    parts: compiledParts(rule.key ?? ['address']),
    onMissing: rule.onMissing ?? 'address',
    path: match?.path ?? '',
    methods: match?.methods === undefined ? undefined : new Set(match.methods),
    countsBytes: count === 'responseBytes',
    shared: rule.scope !== 'replica',
    isStored: windowSeconds >= STORED_WINDOW_SECONDS,
    enforced: rule.enforce !== false,
    sendsFields: rule.headers !== false && rule.enforce !== false,
    policyField: `"${name}";q=${limit};w=${windowSeconds}${unit}`,
    hashKey: key,
    owner: keepsKeys ? before.owner : owners,
    decisions: before?.decisions ?? { admitted: 0, rejected: 0, wouldReject: 0 },
  }
}
