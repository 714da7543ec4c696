// A short state or property, with a colour that repeats its meaning.

import type { ComponentChildren } from 'preact'

export type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'plain'

export function Chip({
  tone = 'plain',
  title,
  children,
}: {
  tone?: Tone
  title?: string
  children: ComponentChildren
}) {
  return (
    <span class="chip" part="chip" data-tone={tone} title={title}>
      {children}
    </span>
  )
}
