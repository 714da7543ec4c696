// The Content-Length of a request from the tunnel, for both versions of HTTP.

import { parseContentLength } from '@vera-stack/shared/http/headers.ts'
import { RequestError } from './backend-exchange.ts'

/**
 * Returns the length. `earlier` is the length of an earlier field. Throws RequestError for a second field or an invalid
 * number.
 */
export function requestLength(value: string, earlier: number | undefined): number {
  if (earlier !== undefined) throw new RequestError('The request has more than one Content-Length.')
  const length = parseContentLength(value)
  if (length === undefined)
    throw new RequestError('The value of Content-Length in the request is not a number.')
  return length
}
