// Changes and deletions of rows with If-Match: the version that the command has just read, or the version that the user gives
// with --if-match.

import type { ApiCommand } from './api-command.ts'

/** The option, for commander. */
export const IF_MATCH = [
  '--if-match <version>',
  'change only this version (default: the version that was just read); *: any version',
] as const

export interface IfMatch {
  readonly ifMatch?: string
}

/** Returns the ETag to send: the one of --if-match, else the present one of the row. A number alone is a version. */
async function etagFor(call: ApiCommand<IfMatch>, path: string): Promise<string> {
  const { ifMatch } = call.options
  if (ifMatch !== undefined) return /^\d+$/.test(ifMatch) ? `"${ifMatch}"` : ifMatch
  const { etag } = await call.api.request('GET', path)
  return etag ?? '*'
}

/** Changes a row. Resolves with the row after the change. */
export async function changeRow<Row>(call: ApiCommand<IfMatch>, path: string, body: unknown): Promise<Row> {
  const ifMatch = await etagFor(call, path)
  return (await call.api.request<Row>('PATCH', path, { body, ifMatch })).body
}

/** Deletes a row. Resolves with the row before the deletion. */
export async function removeRow<Row>(call: ApiCommand<IfMatch>, path: string): Promise<Row> {
  const { body, etag } = await call.api.request<Row>('GET', path)
  const ifMatch = call.options.ifMatch === undefined ? (etag ?? '*') : await etagFor(call, path)
  await call.api.request('DELETE', path, { ifMatch })
  return body
}
