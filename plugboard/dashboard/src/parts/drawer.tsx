// The panel on the right that shows one row. It has its own URL, so the page closes it by going to the URL of the list.

import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { CloseIcon } from './icons.tsx'

export function Drawer(props: {
  title: ComponentChildren
  label: string
  /** True for a drawer with wide tables. */
  isWide?: boolean
  onClose: () => void
  children: ComponentChildren
}) {
  const { title, label, isWide = false, onClose, children } = props
  const panel = useRef<HTMLElement>(null)
  useEffect(() => {
    const opener = document.activeElement
    panel.current?.focus()
    return () => {
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  return (
    <aside
      class={isWide ? 'drawer wide fade-in' : 'drawer fade-in'}
      aria-label={label}
      tabIndex={-1}
      ref={panel}
      onKeyDown={event => {
        if (event.key === 'Escape' && document.querySelector('dialog[open]') === null) onClose()
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <div class="body">{children}</div>
    </aside>
  )
}

export function Tabs<Name extends string>(props: {
  names: readonly (readonly [Name, string])[]
  selected: Name
  onSelect: (name: Name) => void
}) {
  const { names, selected, onSelect } = props
  return (
    <div
      class="tabs"
      role="tablist"
      onKeyDown={event => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
        if (step === 0) return
        const at = names.findIndex(([name]) => name === selected)
        const next = names[(at + step + names.length) % names.length]
        if (next === undefined) return
        onSelect(next[0])
        const tabs = event.currentTarget.querySelectorAll('button')
        tabs[(at + step + names.length) % names.length]?.focus()
      }}
    >
      {names.map(([name, text]) => (
        <button
          key={name}
          type="button"
          role="tab"
          aria-selected={name === selected}
          tabIndex={name === selected ? 0 : -1}
          onClick={() => onSelect(name)}
        >
          {text}
        </button>
      ))}
    </div>
  )
}
