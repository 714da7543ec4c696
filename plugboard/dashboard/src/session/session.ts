// The session of this browser: its start with an API key or a one-time link, and its end.

import { signal } from '@preact/signals'
import type { SessionBody } from '../../../admin/api-types.ts'
import { ApiError, onLoggedOut, request } from '../api/request.ts'

/** Undefined: not known yet. Null: there is no session. */
export const session = signal<SessionBody | null | undefined>(undefined)
/** Why the last log-in failed, or why the session ended. */
export const loginProblem = signal('')

onLoggedOut(() => {
  if (session.value) loginProblem.value = 'Your session has ended. Log in again.'
  session.value = null
})

/** True when the session has the permission, such as `routes:write`. */
export function may(permission: string): boolean {
  const scopes = session.value?.key.scopes ?? []
  const area = permission.slice(0, permission.indexOf(':'))
  return scopes.some(scope => scope === 'admin' || scope === permission || scope === `${area}:*`)
}

/** Uses the code of a one-time link in the address, or the cookie of an earlier log-in. */
export async function startSession(): Promise<void> {
  const code = /^#code=(vsl_[\w-]+)$/.exec(location.hash)?.[1]
  // The code must not stay in the history of the browser.
  if (code !== undefined) history.replaceState(null, '', location.pathname + location.search)
  await checkSession()
  // A session stays: a link of another web site must not replace it with the session of a stranger.
  if (code !== undefined && session.value === null) await logIn(code)
}

/** `credential`: an API key, or the code of a one-time link. */
export async function logIn(credential: string): Promise<void> {
  try {
    const { body } = await request<SessionBody>('POST', '/v1/session', { bearer: credential })
    loginProblem.value = ''
    session.value = body
  } catch (error) {
    loginProblem.value = error instanceof ApiError ? error.message : String(error)
    session.value = null
  }
}

export async function checkSession(): Promise<void> {
  try {
    session.value = (await request<SessionBody>('GET', '/v1/session')).body
    loginProblem.value = ''
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.value = null
    else if (session.value === undefined) {
      loginProblem.value = error instanceof Error ? error.message : String(error)
      session.value = null
    }
  }
}

export async function logOut(): Promise<void> {
  await request('DELETE', '/v1/session')
  loginProblem.value = ''
  session.value = null
}
