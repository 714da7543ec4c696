// Sends the results of an announcement to the telephone, and finds out whether the remarks in them have changed.

import type { Announce } from '@vera-stack/shared/protocol/control/control.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { type AnnouncementDecision, resultsOf } from '../announcement.ts'

/** Returns false without sending when even the short form does not fit in a frame of the telephone. */
export function sendResults(
  session: Session,
  { id }: Announce,
  decisions: readonly AnnouncementDecision[],
): boolean {
  const results = resultsOf(decisions)
  if (session.sendControl({ type: 'announced', id, results })) return true
  // The telephone accepts only small frames and announced very many services. The short form has no URLs and no details.
  const short = results.map(({ service, accepted }) => ({ service, accepted, urls: [] }))
  return session.sendControl({ type: 'announced', id, results: short })
}

/** Returns the details of all accepted services as one text, to compare two lists of results. */
export function remarksOf(results: readonly AnnouncementDecision[]): string {
  return results.map(({ accepted, detail = '' }) => (accepted ? detail : '')).join('\n')
}
