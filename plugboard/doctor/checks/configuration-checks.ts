// The check of the settings. A running server has valid settings, so it reports the limits that it had to lower.

import { type Finding, ok, warning } from '../finding.ts'

/** `lowered`: the limits that the limit of open files has lowered; undefined: none was lowered. */
export function checkRunningSettings(
  lowered: { readonly isProblem: boolean; readonly detail: string } | undefined,
): Finding {
  if (lowered === undefined) return ok('All settings are valid.')
  const detail = `Limits were lowered to fit the limit of open files. ${lowered.detail}`
  if (!lowered.isProblem) return ok(detail)
  return warning(detail, 'Raise the limit of open files: LimitNOFILE= of the systemd unit, or "ulimit -n".')
}
