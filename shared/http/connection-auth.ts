// HTTP authentication that holds for a connection, not for a request: NTLM and Negotiate (RFC 4559), which send one
// credential and expect the backend to remember it for all later requests of the connection. Such a connection must never
// carry the requests of two clients.

import { equalsIgnoringCase } from './headers.ts'

const CREDENTIAL = /^(?:negotiate|ntlm|kerberos)(?: |$)/i
const CHALLENGE = /(?:^|,)[ \t]*(?:negotiate|ntlm|kerberos)(?:[ ,\t]|$)/i

/** True when this field of a request authenticates its connection. */
export function authenticatesConnection(name: string, value: string): boolean {
  return name.length === 13 && equalsIgnoringCase(name, 'authorization') && CREDENTIAL.test(value)
}

/** True when this field of a 401 asks the client to authenticate its connection. */
export function challengesConnection(name: string, value: string): boolean {
  return name.length === 16 && equalsIgnoringCase(name, 'www-authenticate') && CHALLENGE.test(value)
}
