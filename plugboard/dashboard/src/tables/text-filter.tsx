// A text field that filters a list. The list is read again when the person stops typing.

import { useEffect, useRef, useState } from 'preact/hooks'

const WAIT_MS = 250

export function TextFilter(props: { label: string; value: string; onChange: (value: string) => void }) {
  const { label, value, onChange } = props
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
      placeholder={label}
      value={text}
      onInput={event => setText(event.currentTarget.value)}
    />
  )
}
