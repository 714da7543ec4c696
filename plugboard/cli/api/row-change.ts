// Changes and deletes rows with If-Match. The version is the one that the command has just read, or the value of --if-match.

import type { ApiCommand } from './api-command.ts'

/** The flag and its help, as arguments of commander's `option`. */
export const IF_MATCH = [
  '--if-match <version>',
  'change only this version (default: the version that was just read); *: any version',
] as const

export interface IfMatch {
  readonly ifMatch?: string
}

/** Returns the ETag to send: the value of --if-match, else the current ETag of the row. A plain number is a version. */
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
