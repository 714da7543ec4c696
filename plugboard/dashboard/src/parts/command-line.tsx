// A command with a button that copies it.

import { useState } from 'preact/hooks'
import { run } from '../forms/action.tsx'
import { copyText } from './copy-text.ts'
import { CopyIcon } from './icons.tsx'

const SHOWN_MS = 1500

export function CommandLine({ command }: { command: string }) {
  const [isCopied, setCopied] = useState(false)
  return (
    <div class="command">
      <code>{command}</code>
      <button
        type="button"
        aria-label={`Copy ${command}`}
        onClick={async () => {
          if (!(await run(() => copyText(command)))) return
          setCopied(true)
          setTimeout(() => setCopied(false), SHOWN_MS)
        }}
      >
        <CopyIcon />
        <span aria-live="polite">{isCopied ? 'Copied' : 'Copy'}</span>
      </button>
    </div>
  )
}
