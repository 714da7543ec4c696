// The field of a response that binds the client to the telephone process that has responded: a cookie (RFC 6265) or a header
// field of the service's choice. It is added only when the client is not bound to this process yet.

import { equalsIgnoringCase, removeFieldsWhere } from '@vera-stack/shared/http/headers.ts'
import type { PooledProcess } from '../../telephones/pools/line-pool.ts'
import { newSessionValue } from '../../telephones/sticky/bound-process.ts'
import type { StickyService, StickySession } from '../../telephones/sticky/sticky-session.ts'
import type { RoutedRequest } from '../edge/routed-request.ts'

/** Binds the client of the response to the process, unless it is bound to it already. Changes the fields in place. */
export function bindClient(
  fields: string[],
  session: StickySession,
  process: PooledProcess,
  request: RoutedRequest,
): void {
  const value = newSessionValue(process, session)
  if (value !== undefined) addSessionField(fields, session.service, value, request)
}

/** Adds the field in place. `value`: the value that the client has to repeat. */
export function addSessionField(
  fields: string[],
  { kind, name, readName, ttlSeconds }: StickyService,
  value: string,
  { route, proto }: RoutedRequest,
): void {
  if (kind === 'header') {
    removeFieldsWhere(fields, each => equalsIgnoringCase(each, readName))
    fields.push(name, value)
    return
  }
  const path = cookiePath(route.mountPath)
  const maxAge = ttlSeconds === undefined ? '' : `; Max-Age=${ttlSeconds}`
  const secure = proto === 'https' ? '; Secure' : ''
  fields.push('Set-Cookie', `${name}=${value}; Path=${path}${maxAge}; HttpOnly; SameSite=Lax${secure}`)
}

/** A semicolon ends the attribute, so the path of the cookie ends before a segment with one. */
function cookiePath(mountPath: string): string {
  const semicolon = mountPath.indexOf(';')
  if (semicolon === -1) return mountPath
  return mountPath.slice(0, Math.max(1, mountPath.lastIndexOf('/', semicolon)))
}
