// Whether the change log continues from a position that a reader has. It does not after the database was restored from a backup, and
// when the entries after the position were pruned. Such a reader must read all rows again.

import { VeraError } from '@vera-stack/shared/errors.ts'

/** The last entry that a reader has. */
export interface ReadPosition {
  /** 0: the log was empty. */
  readonly sequence: number
  /** Undefined: the reader did not keep the id, so another history with as many entries is not noticed. */
  readonly changeId?: string | undefined
}

export interface LogGap {
  /** `restored`: the log has another history. `pruned`: entries after the position have been deleted. */
  readonly reason: 'restored' | 'pruned'
  /** The oldest sequence of the log. 0: the log is empty. */
  readonly oldest: number
}

export interface LogContinuation {
  /** Undefined: the log has each entry after the position. */
  readonly gap: LogGap | undefined
  /** The newest entry. */
  readonly newest: ReadPosition
  /** The id of the entry at the position. Undefined: the log does not have it. */
  readonly changeId: string | undefined
}

export interface ContinuationRow extends Record<string, unknown> {
  readonly newest: string
  readonly newestId: string | null
  readonly oldest: string | null
  readonly id: string | null
}

/** Returns the statement whose only row is a ContinuationRow. */
export const continuationQuery = (sequence: number): string => `
  SELECT h.sequence AS newest, h.change_id AS "newestId",
    (SELECT min(c.sequence) FROM plugboard.changes c) AS oldest,
    (SELECT c.id FROM plugboard.changes c WHERE c.sequence = ${Number(sequence)}) AS id
  FROM plugboard.change_head h`

export function continuationOf(
  { sequence, changeId }: ReadPosition,
  row: ContinuationRow | undefined,
): LogContinuation {
  const newest = Number(row?.newest ?? 0)
  const oldest = Number(row?.oldest ?? 0)
  const found = row?.id ?? undefined
  const isOther = changeId !== undefined && found !== undefined && found !== changeId
  const isPruned = sequence < newest && oldest > sequence + 1
  const reason = sequence > newest || isOther ? 'restored' : isPruned ? 'pruned' : undefined
  return {
    gap: reason && { reason, oldest },
    newest: { sequence: newest, changeId: row?.newestId ?? undefined },
    changeId: found,
  }
}

/** Throws `precondition_failed` when the log does not continue from the position. */
export function requireContinuation({ sequence }: ReadPosition, { gap, newest }: LogContinuation): void {
  if (gap === undefined) return
  const why =
    gap.reason === 'restored'
      ? `The newest change is ${newest.sequence}: the database was restored from a backup.`
      : `The oldest change of the log is ${gap.oldest}.`
  throw new VeraError(
    'precondition_failed',
    `The change log does not have the changes after ${sequence}. ${why} Read all rows again.`,
  )
}
