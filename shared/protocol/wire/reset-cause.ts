// The cause of a reset within the detail of its RESET frame (PROTOCOL.md, "Causes"): a code, one NUL byte, then the text.
// A sender states it only to a peer whose hello has the feature. Both parts are texts of a peer, so the reader cleans them.

import { cutText } from '../../text/cut-text.ts'
import { printable } from '../../text/printable.ts'

/** Feature in a hello: a RESET that is sent to this end may state its cause. */
export const CAUSE_FEATURE = 'cause'

const SEPARATOR = '\0'
const CODE = /^[a-z][a-z0-9_]{0,39}$/

/** Returns the detail of a RESET that states its cause. */
export function withCause(causeCode: string, detail: string): string {
  return `${causeCode}${SEPARATOR}${cutText(detail)}`
}

/** Reads the detail of a RESET. A cause that is not a code is ignored. The detail has no control character. */
export function readCause(text: string): { readonly causeCode: string | undefined; readonly detail: string } {
  if (text === '') return NO_CAUSE
  const at = text.indexOf(SEPARATOR)
  const code = text.slice(0, Math.max(at, 0))
  const stated = CODE.test(code)
  const detail = printable(cutText(stated ? text.slice(at + 1) : text))
  return { causeCode: stated ? code : undefined, detail }
}

const NO_CAUSE = { causeCode: undefined, detail: '' } as const
