// The frame of each element: its name for screen readers, and the state of its connection when it is not live.

import type { ComponentChildren } from 'preact'
import type { ElementSource, SourceState } from './element-source.ts'

export function ElementFrame(props: {
  label: string
  source: ElementSource | undefined
  /** Why the element has no source. */
  problem: SourceState | undefined
  children: ComponentChildren
}) {
  const { label, source, problem, children } = props
  const state = problem ?? source?.state.value
  return (
    <section class="element" part="frame" aria-label={label}>
      <div role="status">{state !== undefined && <StateNotice state={state} />}</div>
      {children}
    </section>
  )
}

function StateNotice({ state }: { state: SourceState }) {
  if (!('error' in state)) return null
  return (
    <div class="notice" part="notice" data-tone={state.name === 'no-token' ? 'warn' : 'bad'}>
      {state.error.message}
    </div>
  )
}
