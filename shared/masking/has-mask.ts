// Recognises masked values in a text. This file has no imports, because the dashboard uses it too.

/** `***` and 6 hex digits (value-mask.ts). Without the flag `g`, so that it has no state. */
const MASKED = /\*\*\*[0-9a-f]{6}/
/** The same with a group, so that `split` keeps the masked values. */
const EACH_MASKED = /(\*\*\*[0-9a-f]{6})/

/** True when the text contains a masked value. A client may send such a text itself; it is then treated as masked. */
export function hasMask(text: string): boolean {
  return MASKED.test(text)
}

export interface TextPart {
  readonly text: string
  readonly isMasked: boolean
}

/** Returns the parts of a text in their order. */
export function maskedParts(text: string): TextPart[] {
  return text
    .split(EACH_MASKED)
    .map((part, index) => ({ text: part, isMasked: index % 2 === 1 }))
    .filter(part => part.text !== '')
}
