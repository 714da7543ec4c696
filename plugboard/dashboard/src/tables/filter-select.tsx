// A filter of a list with a few values. The first option selects all rows.

export function FilterSelect(props: {
  label: string
  /** Empty: all rows. */
  value: string
  options: readonly (readonly [value: string, text: string])[]
  onChange: (value: string) => void
}) {
  const { label, value, options, onChange } = props
  return (
    <select aria-label={label} value={value} onChange={event => onChange(event.currentTarget.value)}>
      {options.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  )
}
