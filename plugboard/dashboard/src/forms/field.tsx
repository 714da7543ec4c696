// A text field of a form, with the problem that the API reports for it.

import type { ApiError } from '../api/request.ts'

export function Field(props: {
  /** The name of the field in the body of the request. */
  name: string
  label: string
  value: string
  onInput: (value: string) => void
  error: ApiError | undefined
  required?: boolean
  placeholder?: string
  /** Values that the browser offers. */
  suggestions?: readonly string[] | undefined
}) {
  const { name, label, value, onInput, error, required = false, placeholder, suggestions } = props
  const detail = error?.culprits.find(
    ({ pointer }) => pointer === `/${name}` || pointer?.startsWith(`/${name}/`),
  )?.detail
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        list={suggestions && `${name}-suggestions`}
        value={value}
        required={required}
        placeholder={placeholder}
        aria-invalid={detail !== undefined}
        aria-describedby={`${name}-error`}
        onInput={event => onInput(event.currentTarget.value)}
      />
      {suggestions && (
        <datalist id={`${name}-suggestions`}>
          {suggestions.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <span id={`${name}-error`} class="error">
        {detail}
      </span>
    </div>
  )
}
