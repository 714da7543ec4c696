// A button that copies a text. It has an icon only.

import { useState } from 'preact/hooks'
import { run } from '../forms/action.tsx'
import { copyText } from './copy-text.ts'
import { CopyIcon } from './icons.tsx'

const SHOWN_MS = 1500

export function CopyButton({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false)
  return (
    <button
      type="button"
      class="plain icon"
      aria-label={`Copy ${text}`}
      title={isCopied ? 'Copied' : 'Copy'}
      data-copied={isCopied}
      onClick={async () => {
        if (!(await run(() => copyText(text)))) return
        setCopied(true)
        setTimeout(() => setCopied(false), SHOWN_MS)
      }}
    >
      <CopyIcon />
      <span class="hidden-text" aria-live="polite">
        {isCopied ? 'Copied' : ''}
      </span>
    </button>
  )
}
