// Runs the checks of `plugboard doctor`, all at once, each with a time limit. A check that fails to run, or takes too long, has the
// state `unknown` with the reason. So one broken part never hides the findings about the others.

import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { CheckBody } from '../admin/api-types.ts'
import { CHECK_IDS, type CheckId } from './doctor-checks.ts'
import { type Finding, unknown } from './finding.ts'

export type RunnableChecks = Readonly<Partial<Record<CheckId, () => Finding | Promise<Finding>>>>

/** The time limit of one check, ms. It is shorter than the time limit of a request to the admin API. */
const CHECK_TIMEOUT_MS = 8_000

/** The most harmful state comes first. */
const BY_HARM: readonly CheckBody['state'][] = ['failed', 'warning', 'unknown', 'ok']

/** Resolves with one row for each check, sorted by harm. Never rejects. */
export async function runChecks(checks: RunnableChecks, clock: Clock): Promise<CheckBody[]> {
  const present = CHECK_IDS.flatMap(id => {
    const run = checks[id]
    return run === undefined ? [] : [runOne(id, run, clock)]
  })
  return sortedByHarm(await Promise.all(present))
}

/** Keeps the order of the list within each state. */
export function sortedByHarm(rows: readonly CheckBody[]): CheckBody[] {
  return [...rows].sort((left, right) => BY_HARM.indexOf(left.state) - BY_HARM.indexOf(right.state))
}

async function runOne(id: CheckId, run: () => Finding | Promise<Finding>, clock: Clock): Promise<CheckBody> {
  const late = Promise.withResolvers<Finding>()
  const timer = clock.after(CHECK_TIMEOUT_MS, () =>
    late.resolve(unknown(`The check did not end within ${CHECK_TIMEOUT_MS / 1000} s.`)),
  )
  try {
    return { id, ...(await Promise.race([settled(run), late.promise])) }
  } finally {
    timer.cancel()
  }
}

async function settled(run: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof VeraError && error.code === 'database_unavailable')
      return unknown('The check needs the database, which is unavailable.')
    return unknown(
      `The check could not run: ${cutText(error instanceof Error ? error.message : String(error))}.`,
    )
  }
}
