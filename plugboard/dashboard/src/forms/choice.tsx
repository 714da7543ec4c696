// A row of buttons. One of them is selected.

export function Choice<Name extends string>(props: {
  label: string
  names: readonly Name[]
  selected: Name
  onSelect: (name: Name) => void
}) {
  const { label, names, selected, onSelect } = props
  return (
    <fieldset class="choice" aria-label={label}>
      {names.map(name => (
        <button key={name} type="button" aria-pressed={name === selected} onClick={() => onSelect(name)}>
          {name}
        </button>
      ))}
    </fieldset>
  )
}
