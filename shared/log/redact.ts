// The last line of defence for secrets: every line passes here before it is written. Fields have no place for a
// secret, but the text of a foreign error may quote one.

import { withoutPassword } from '../settings/kind.ts'

// A JWT, one of our keys, a credential after its scheme, a password in a URL, a secret query parameter.
const SUSPECT = /eyJ|vsk_|bearer|basic|:\/\/[^\s"/]*@|[?&](?:token|key|secret|password)=/i

export function redact(text: string): string {
  if (!SUSPECT.test(text)) return text
  return text
    .replace(/eyJ[\w-]{4,}\.[\w-]+\.[\w-]*/g, '***')
    .replace(/vsk_[\w-]+/g, 'vsk_***')
    .replace(/\b(bearer|basic) +[\w.~+/=-]{8,}/gi, '$1 ***')
    .replace(/([?&](?:token|key|secret|password)=)[^&\s"\\]+/gi, '$1***')
    .replace(/[a-z][a-z0-9+.-]*:\/\/[^\s"/]*@/gi, withoutPassword)
}
