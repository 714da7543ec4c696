// Changes and deletions from the command line state the version that they mean: the one that was just read, or the
// one that the person gives with --if-match.

import type { ApiCommand } from './api-command.ts'

/** The option, for commander. */
export const IF_MATCH = [
  '--if-match <version>',
  'change only this version (default: the version that was just read); *: any version',
] as const

export interface IfMatch {
  readonly ifMatch?: string
}

/** The ETag to send: as asked for, else that of the row as it is now. A bare number is a version. */
async function etagFor(call: ApiCommand<IfMatch>, path: string): Promise<string> {
  const { ifMatch } = call.options
  if (ifMatch !== undefined) return /^\d+$/.test(ifMatch) ? `"${ifMatch}"` : ifMatch
  const { etag } = await call.api.request('GET', path)
  return etag ?? '*'
}

/** Returns the row as it is then. */
export async function changeRow<Row>(call: ApiCommand<IfMatch>, path: string, body: unknown): Promise<Row> {
  const ifMatch = await etagFor(call, path)
  return (await call.api.request<Row>('PATCH', path, { body, ifMatch })).body
}

/** Returns the row as it was. */
export async function removeRow<Row>(call: ApiCommand<IfMatch>, path: string): Promise<Row> {
  const { body, etag } = await call.api.request<Row>('GET', path)
  const ifMatch = call.options.ifMatch === undefined ? (etag ?? '*') : await etagFor(call, path)
  await call.api.request('DELETE', path, { ifMatch })
  return body
}
