// A text field that filters a list. The list is read again when the person stops typing.

import { useEffect, useRef, useState } from 'preact/hooks'

const WAIT_MS = 250

/** `placeholder`: a short one, where the whole label would be cut. */
export function TextFilter(props: {
  label: string
  placeholder?: string
  value: string
  onChange: (value: string) => void
}) {
  const { label, placeholder = label, value, onChange } = props
  const [text, setText] = useState(value)
  // The address of the page can change during the wait. An older function would go back to the address before.
  const change = useRef(onChange)
  change.current = onChange
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => change.current(text.trim()), WAIT_MS)
    return () => clearTimeout(timer)
    // Only a change of the text starts the wait.
  }, [text])
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={placeholder}
      title={placeholder === label ? undefined : label}
      value={text}
      onInput={event => setText(event.currentTarget.value)}
    />
  )
}
