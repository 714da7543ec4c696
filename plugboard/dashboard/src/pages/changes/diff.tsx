// The changed fields of a row.

import type { DiffLine } from './change-text.ts'

export function Diff({ lines }: { lines: readonly DiffLine[] }) {
  if (lines.length === 0) return <p class="soft">No field has changed.</p>
  return (
    <div class="diff">
      {lines.map(({ kind, text }) => (
        <div key={text} class={kind}>
          {text}
        </div>
      ))}
    </div>
  )
}
