// The filters of a list. On a narrow screen, where they would fill half of it, a button shows and hides them.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

/** `active`: the number of filters that are set. */
export function FilterBox({ active, children }: { active: number; children: ComponentChildren }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <search class="filters" data-open={isOpen}>
      <button type="button" class="filters-switch" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {active === 0 ? 'Filters' : `Filters (${active})`}
      </button>
      {children}
    </search>
  )
}
