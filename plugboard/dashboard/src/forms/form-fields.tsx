// The form of a document: fields that read and write one value each. Values without a field are named, and are edited in the YAML.

import type { Culprit } from '../api/request.ts'
import { Chip } from '../parts/chip.tsx'
import { type DocumentPath, valueAt } from './yaml-text.ts'

export interface FormField {
  readonly path: DocumentPath
  readonly label: string
  /** `lines`: a list of texts, one in each line. `null-text`: a text; empty means null. `choice`: one of `choices`, or no value. */
  readonly kind: 'text' | 'null-text' | 'number' | 'flag' | 'lines' | 'choice'
  /** For a choice: the text of the default. */
  readonly placeholder?: string
  readonly choices?: readonly (readonly [value: string | boolean, text: string])[] | undefined
  /** Values that the browser offers. */
  readonly suggestions?: readonly string[] | undefined
}

export interface FormGroup {
  readonly title: string
  readonly fields: readonly FormField[]
}

export interface FormFieldsProps {
  readonly groups: readonly FormGroup[]
  readonly document: object
  /** The JSON pointers of these begin at the document. */
  readonly culprits: readonly Culprit[]
  readonly isReadOnly: boolean
  /** `value`: undefined removes the value. */
  readonly onChange: (path: DocumentPath, value: unknown) => void
}

export function FormFields({ groups, document, culprits, isReadOnly, onChange }: FormFieldsProps) {
  const others = pathsOf(document).filter(path => fieldOf(groups, path) === undefined)
  return (
    <div class="stack">
      {groups.map(({ title, fields }) => (
        <fieldset key={title} class="group" disabled={isReadOnly}>
          <legend>{title}</legend>
          {fields.map(field => (
            <FieldOfForm
              key={field.path.join('/')}
              field={field}
              value={valueAt(document, field.path)}
              problem={culprits.find(culprit => isAt(culprit, field.path))?.detail}
              onChange={value => onChange(field.path, value)}
            />
          ))}
        </fieldset>
      ))}
      {others.length > 0 && (
        <p class="row">
          <span class="soft">Only in the YAML:</span>
          {others.map(path => (
            <Chip key={path.join('.')}>{path.join('.')}</Chip>
          ))}
        </p>
      )}
    </div>
  )
}

/** The problems that belong to no field of the form. */
export function otherCulprits(culprits: readonly Culprit[], groups: readonly FormGroup[]): Culprit[] {
  return culprits.filter(
    culprit => !groups.some(({ fields }) => fields.some(field => isAt(culprit, field.path))),
  )
}

function isAt({ pointer }: Culprit, path: DocumentPath): boolean {
  const own = `/${path.join('/')}`
  return pointer === own || pointer?.startsWith(`${own}/`) === true
}

function FieldOfForm(props: {
  field: FormField
  value: unknown
  problem: string | undefined
  onChange: (value: unknown) => void
}) {
  const { field, value, problem, onChange } = props
  const id = `field-${field.path.join('-')}`
  const common = { id, 'aria-invalid': problem !== undefined, 'aria-describedby': `${id}-error` }
  if (field.kind === 'flag') {
    return (
      <label class="flag" for={id}>
        <input
          {...common}
          type="checkbox"
          checked={value === true}
          onChange={event => onChange(event.currentTarget.checked || undefined)}
        />
        {field.label}
        <Problem id={id} text={problem} />
      </label>
    )
  }
  if (field.kind === 'choice') {
    return (
      <div class="field">
        <label for={id}>{field.label}</label>
        <Choices {...common} field={field} value={value} onChange={onChange} />
        <Problem id={id} text={problem} />
      </div>
    )
  }
  const text = Array.isArray(value)
    ? value.join('\n')
    : value === null || value === undefined
      ? ''
      : String(value)
  const change = (typed: string): void => onChange(typedValue(field, typed))
  return (
    <div class="field">
      <label for={id}>{field.label}</label>
      {field.kind === 'lines' ? (
        <textarea
          {...common}
          rows={Math.min(8, text.split('\n').length + 1)}
          spellcheck={false}
          placeholder={field.placeholder}
          value={text}
          onInput={event => change(event.currentTarget.value)}
        />
      ) : (
        <input
          {...common}
          inputMode={field.kind === 'number' ? 'numeric' : undefined}
          list={field.suggestions && `${id}-list`}
          placeholder={field.placeholder}
          value={text}
          onInput={event => change(event.currentTarget.value)}
        />
      )}
      {field.suggestions && (
        <datalist id={`${id}-list`}>
          {field.suggestions.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <Problem id={id} text={problem} />
    </div>
  )
}

function Choices(props: {
  field: FormField
  value: unknown
  onChange: (value: unknown) => void
  id: string
  'aria-invalid': boolean
  'aria-describedby': string
}) {
  const { field, value, onChange, ...attributes } = props
  const { choices = [], placeholder } = field
  const selected = choices.findIndex(([each]) => each === value)
  const isOther = value !== undefined && selected === -1
  return (
    <select
      {...attributes}
      value={isOther ? 'other' : selected}
      onChange={event => onChange(choices[Number(event.currentTarget.value)]?.[0])}
    >
      <option value={-1}>{placeholder} (default)</option>
      {choices.map(([each, text], index) => (
        <option key={each} value={index}>
          {text}
        </option>
      ))}
      {isOther && <option value="other">as in the YAML</option>}
    </select>
  )
}

const Problem = ({ id, text }: { id: string; text: string | undefined }) => (
  <span id={`${id}-error`} class="error">
    {text}
  </span>
)

/** A text that is not a number stays a text, so that the API reports it. */
function typedValue({ kind }: FormField, typed: string): unknown {
  if (kind === 'lines') return typed.trim() === '' ? undefined : typed.split('\n')
  if (typed === '') return kind === 'null-text' ? null : undefined
  return kind === 'number' && /^-?\d{1,15}$/.test(typed) ? Number(typed) : typed
}

const fieldOf = (groups: readonly FormGroup[], path: DocumentPath): FormField | undefined =>
  groups.flatMap(({ fields }) => fields).find(field => field.path.join('/') === path.join('/'))

/** The paths of all values that are not objects. */
function pathsOf(value: unknown, path: DocumentPath = []): DocumentPath[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name]))
}
