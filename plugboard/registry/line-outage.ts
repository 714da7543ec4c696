// The reason for which a line is down: the last result of its health check, as its telephone announced it. Replicas exchange it
// as a part of the line (packed-line.ts).

import { printable } from '@vera-stack/shared/text/printable.ts'

export interface LineOutage {
  /** When the health check first failed, milliseconds since 1970. */
  readonly sinceMs: number
  /** A code of backend-causes.ts or of a newer version; undefined: unknown. */
  readonly cause?: string | undefined
  /** The last result, such as `/healthz returned 500`. */
  readonly detail: string
}

const CAUSE = /^[a-z][a-z0-9_]{0,39}$/

/** Returns an announced outage in the form for a line. Replaces a time in the future with the present time. */
export function cleanOutage(outage: LineOutage | undefined, nowMs: number): LineOutage | undefined {
  if (outage === undefined) return undefined
  const { sinceMs, cause, detail } = outage
  return {
    sinceMs: Math.min(sinceMs, Math.floor(nowMs)),
    ...(cause !== undefined && CAUSE.test(cause) && { cause }),
    detail: printable(detail),
  }
}

/** Returns a text for operators about lines that are all down: `health check has failed since …: …`, of the first line to fail. */
export function outageText(lines: readonly { readonly outage?: LineOutage | undefined }[]): string {
  const outages = lines.flatMap(({ outage }) => outage ?? [])
  const [first, ...others] = outages.sort((left, right) => left.sinceMs - right.sinceMs)
  // A telephone of an older version announces no result.
  if (first === undefined) return 'health check fails'
  const more = others.some(({ detail }) => detail !== first.detail)
    ? ' (other lines fail for other causes)'
    : ''
  return `health check has failed since ${timeText(first.sinceMs)}: ${first.detail}${more}`
}

/** Returns the time in UTC, in seconds: `2026-11-30T02:41:07Z`. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
