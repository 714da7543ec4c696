// The reasons for which tunnels end, in words for users. The codes are those of the tunnel protocol.

const TEXTS: Readonly<Record<string, string>> = {
  draining: 'planned',
  going_away: 'planned',
  idle_timeout: 'idle',
  internal_error: 'internal error',
  overloaded: 'overloaded',
  over_budget: 'over its memory limit',
  payload_too_large: 'message too large',
  ping_timeout: 'no reply to pings',
  protocol_error: 'protocol error',
  replaced: 'replaced by a newer process',
  session_lost: 'connection lost',
  unauthorized: 'token no longer valid',
  unsupported_version: 'unsupported version',
}

export const reasonText = (reason: string): string => TEXTS[reason] ?? reason.replaceAll('_', ' ')

/** Returns the ends by reason, the most frequent first: `3 × connection lost, 1 × no reply to pings`. */
export function endsText(ends: Readonly<Record<string, number>>): string {
  const sums = new Map<string, number>()
  for (const [reason, count] of Object.entries(ends)) {
    const text = reasonText(reason)
    sums.set(text, (sums.get(text) ?? 0) + count)
  }
  return [...sums]
    .sort(([, left], [, right]) => right - left)
    .map(([text, count]) => `${count} × ${text}`)
    .join(', ')
}
