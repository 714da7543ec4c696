// Versions of rows as ETags (RFC 9110, section 13). A change states the version that it was made from. So two people who edit
// the same row cannot overwrite each other's changes without an error.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import type { AdminEnv } from '../admin-env.ts'
import { RequestError } from '../http/problem.ts'

export const etagOf = (row: { readonly version: number }): string => `"${row.version}"`

/** If-Match: `*`, or a list of tags. */
export const IF_MATCH = /^(?:\*|(?:W\/)?"[^"\s]*"(?:\s*,\s*(?:W\/)?"[^"\s]*")*)$/

/**
 * Returns the version that If-Match requires; undefined for `*`, which means any version. `current` reads the row. It is called
 * only when the header lists several versions.
 * @throws VeraError precondition_required, precondition_failed; RequestError for a malformed header.
 */
export async function ifMatchVersion(
  c: Context<AdminEnv>,
  current: () => Promise<{ readonly version: number }>,
): Promise<number | undefined> {
  const header = c.req.header('if-match')?.trim()
  if (header === undefined || header === '') throw new VeraError('precondition_required')
  if (header === '*') return undefined
  if (!IF_MATCH.test(header)) {
    const detail = 'Write the ETag with its quotes: If-Match: "3".'
    throw new RequestError('invalid_request', detail, [{ header: 'if-match', detail }])
  }
  // Weak tags never match (section 13.1.1). Tags that this API did not create never match either.
  const versions = header.split(',').flatMap(tag => {
    const match = /^"([1-9]\d{0,14})"$/.exec(tag.trim())
    return match === null ? [] : [Number(match[1])]
  })
  if (versions.length === 1) return versions[0]
  if (versions.length > 1) {
    const { version } = await current()
    if (versions.includes(version)) return version
  }
  throw new VeraError('precondition_failed')
}

/** Sets the ETag. Returns true when If-None-Match contains the tag, so that the response must be 304. */
export function notModified(c: Context<AdminEnv>, row: { readonly version: number }): boolean {
  const etag = etagOf(row)
  c.header('ETag', etag)
  const header = c.req.header('if-none-match')
  if (header === undefined) return false
  return header.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}
