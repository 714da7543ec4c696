// The common keys of a policy as a form. An empty field has the default. A dry run checks the changes while a person types; Save writes
// only the changed keys, so the rest of the policy stays.

import { useEffect, useState } from 'preact/hooks'
import type { ServiceBody } from '../../../../admin/api-types.ts'
import { ApiError, request } from '../../api/request.ts'
import { showMessage } from '../../forms/action.tsx'

interface FormField {
  readonly key: string
  readonly label: string
  /** The text for the default. */
  readonly standard: string
  /** Absent: a number. */
  readonly values?: readonly string[]
}

const FIELDS: readonly FormField[] = [
  {
    key: 'balancing',
    label: 'Balancing',
    standard: 'peak_ewma',
    values: ['peak_ewma', 'least_streams', 'round_robin', 'random', 'hash'],
  },
  { key: 'retries', label: 'Retries', standard: '2' },
  { key: 'responseHeadTimeoutMs', label: 'Time to the response head, ms', standard: '30000' },
  { key: 'idleTimeoutMs', label: 'Idle time, ms', standard: '300000' },
  { key: 'maxStreams', label: 'Open streams on each replica', standard: 'no limit' },
  { key: 'maxStreamsPerTelephone', label: 'Open streams of one process', standard: 'no limit' },
  { key: 'slowStartMs', label: 'Slow start, ms', standard: '0' },
  { key: 'holdMs', label: 'Wait for a telephone, ms', standard: '0' },
  { key: 'whenAllDown', label: 'When all health checks fail', standard: 'refuse', values: ['refuse', 'try'] },
  { key: 'outlier', label: 'Passive ejection', standard: 'on', values: ['false'] },
]
const TEXTS: Readonly<Record<string, string>> = { false: 'off' }
const WAIT_MS = 400

/** Only the fields that a person has changed, as text. */
type Draft = Readonly<Record<string, string>>

export function PolicyForm({ service, canWrite }: { service: ServiceBody; canWrite: boolean }) {
  const { id, version, policy } = service
  const [draft, setDraft] = useState<Draft>({})
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const [isChecked, setChecked] = useState(false)
  const isChanged = Object.keys(draft).length > 0
  const write = (dryRun: boolean): Promise<ApiError | undefined> =>
    failureOf(
      request('PATCH', `/v1/services/${id}`, {
        query: { dryRun: dryRun || undefined },
        ifMatch: `"${version}"`,
        body: { policy: patchOf(draft) },
      }),
    )
  useEffect(() => {
    setChecked(false)
    setError(undefined)
    if (!isChanged) return
    let isGone = false
    const timer = setTimeout(async () => {
      const found = await write(true)
      if (isGone) return
      setError(found)
      setChecked(found === undefined)
    }, WAIT_MS)
    return () => {
      isGone = true
      clearTimeout(timer)
    }
    // Only a change of the form starts the check.
  }, [draft])

  return (
    <form
      class="stack"
      onSubmit={async event => {
        event.preventDefault()
        const found = await write(false)
        setError(found)
        if (found !== undefined) return
        setDraft({})
        showMessage('Saved.')
      }}
    >
      <div class="form-grid">
        {FIELDS.map(field => (
          <PolicyField
            key={field.key}
            field={field}
            value={draft[field.key] ?? textOf(policy[field.key])}
            error={error}
            disabled={!canWrite}
            onInput={value => {
              const { [field.key]: _before, ...others } = draft
              setDraft(value === textOf(policy[field.key]) ? others : { ...others, [field.key]: value })
            }}
          />
        ))}
      </div>
      {error !== undefined && error.culprits.length === 0 && (
        <div class="notice" data-tone="bad" role="alert">
          {error.message}
        </div>
      )}
      {canWrite && (
        <div class="row">
          <button type="submit" class="primary" disabled={!isChecked}>
            Save
          </button>
          <button type="button" disabled={!isChanged} onClick={() => setDraft({})}>
            Discard
          </button>
          <span class="soft">{isChecked ? 'Checked. You can save the change.' : ''}</span>
        </div>
      )}
    </form>
  )
}

function PolicyField(props: {
  field: FormField
  value: string
  error: ApiError | undefined
  disabled: boolean
  onInput: (value: string) => void
}) {
  const { field, value, error, disabled, onInput } = props
  const { key, label, standard, values } = field
  const id = `policy-${key}`
  const detail = error?.culprits.find(({ pointer }) => pointer?.startsWith(`/policy/${key}`))?.detail
  const common = {
    id,
    disabled,
    value,
    'aria-invalid': detail !== undefined,
    'aria-describedby': `${id}-error`,
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {values === undefined ? (
        <input
          {...common}
          inputMode="numeric"
          placeholder={standard}
          onInput={event => onInput(event.currentTarget.value.trim())}
        />
      ) : (
        <select {...common} onInput={event => onInput(event.currentTarget.value)}>
          <option value="">{standard} (default)</option>
          {values.map(each => (
            <option key={each} value={each}>
              {TEXTS[each] ?? each}
            </option>
          ))}
          {value !== '' && !values.includes(value) && <option value={value}>as in the YAML</option>}
        </select>
      )}
      <span id={`${id}-error`} class="error">
        {detail}
      </span>
    </div>
  )
}

/** Returns the value of a key as the text of its field; empty: the default applies. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Returns the merge patch: null sets the default again. A text that is no number is sent as it is, and the API explains it. */
function patchOf(draft: Draft): object {
  return Object.fromEntries(
    Object.entries(draft).map(([key, text]) => {
      if (text === '') return [key, null]
      if (text === 'false') return [key, false]
      return [key, /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text]
    }),
  )
}

async function failureOf(written: Promise<unknown>): Promise<ApiError | undefined> {
  try {
    await written
    return undefined
  } catch (error) {
    return error instanceof ApiError ? error : new ApiError(0, { detail: String(error) })
  }
}
