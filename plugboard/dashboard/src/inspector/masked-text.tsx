// A text whose masked values are marked.

import { maskedParts } from '@vera-stack/shared/masking/has-mask.ts'

export function MaskedText({ text }: { text: string }) {
  return (
    <>
      {maskedParts(text).map((part, index) =>
        part.isMasked ? (
          <mark key={index} class="masked" title="A masked secret. Equal secrets have equal digits.">
            {part.text}
          </mark>
        ) : (
          part.text
        ),
      )}
    </>
  )
}
