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
}) {
  const { name, label, value, onInput, error, required = false, placeholder } = props
  const detail = error?.culprits.find(
    ({ pointer }) => pointer === `/${name}` || pointer?.startsWith(`/${name}/`),
  )?.detail
  return (
    <div class="field">
      <label for={`field-${name}`}>{label}</label>
      <input
        id={`field-${name}`}
        value={value}
        required={required}
        placeholder={placeholder}
        aria-invalid={detail !== undefined}
        aria-describedby={`error-${name}`}
        onInput={event => onInput(event.currentTarget.value)}
      />
      <span id={`error-${name}`} class="error">
        {detail}
      </span>
    </div>
  )
}
