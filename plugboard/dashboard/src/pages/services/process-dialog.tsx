// Steers one telephone process: drain, ejection, weight, and the end of them. The values are an override, whose version the dialog
// sends, so that another operator's change in between is refused.

import { useState } from 'preact/hooks'
import type { ServiceProcessBody } from '../../../../admin/api-types.ts'
import { type ApiError, asApiError, request } from '../../api/request.ts'
import { Dialog, showMessage } from '../../forms/action.tsx'
import { Choice } from '../../forms/choice.tsx'
import { Field } from '../../forms/field.tsx'
import { effectOf } from './override-text.ts'

const ACTIONS = ['Drain', 'Eject', 'Weight'] as const
type Action = (typeof ACTIONS)[number]
const EFFECTS: Readonly<Record<Action, string>> = {
  Drain: 'The process gets no new requests. Requests in flight end, and clients of sticky sessions stay.',
  Eject:
    'The process gets no requests for this time, while another process takes them. It returns by itself.',
  Weight: 'The weight replaces the one that the telephone announces, from 0 to 1000.',
}

export function ProcessDialog(props: { service: string; process: ServiceProcessBody; onClose: () => void }) {
  const { service, process, onClose } = props
  const { telephone, instance, override, weight: announced } = process
  const [action, setAction] = useState<Action>('Drain')
  const [time, setTime] = useState('5m')
  const [weight, setWeight] = useState(String(override?.weight ?? announced))
  const [reason, setReason] = useState('')
  const [force, setForce] = useState(false)
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const [isRunning, setRunning] = useState(false)

  const attempt = async (done: string, write: () => Promise<unknown>): Promise<void> => {
    setRunning(true)
    try {
      await write()
      showMessage(`${done} Undo is on the Changes page.`)
      onClose()
    } catch (failure) {
      setError(asApiError(failure))
      setRunning(false)
    }
  }
  const apply = (): Promise<void> => {
    const values = {
      ...(action === 'Eject' ? { ejectFor: time } : { weight: action === 'Drain' ? 0 : Number(weight) }),
      ...(reason === '' ? {} : { reason }),
      ...(force ? { force } : {}),
    }
    return attempt(`${telephone}: ${action === 'Weight' ? `weight ${weight}` : DONE[action]}.`, () =>
      override === null
        ? request('POST', '/v1/overrides', { body: { service, process: instance, ...values } })
        : request('PATCH', `/v1/overrides/${override.id}`, {
            ifMatch: `"${override.version}"`,
            body: values,
          }),
    )
  }
  const effect = override === null ? '' : effectOf(override)
  return (
    <Dialog title={`Steer ${telephone}`} onClose={onClose}>
      <form
        class="stack"
        onSubmit={event => {
          event.preventDefault()
          void apply()
        }}
      >
        {override !== null && effect !== '' && (
          <div class="notice" data-tone="warn">
            Now: {effect}
            {override.reason === null ? '' : ` (${override.reason})`}.
          </div>
        )}
        <Choice label="Action" names={ACTIONS} selected={action} onSelect={setAction} />
        <p class="soft">{EFFECTS[action]}</p>
        {action === 'Eject' && (
          <Field
            name="ejectFor"
            label="For (1s to 1h)"
            value={time}
            onInput={setTime}
            error={error}
            required
          />
        )}
        {action === 'Weight' && (
          <Field name="weight" label="Weight" value={weight} onInput={setWeight} error={error} required />
        )}
        <Field
          name="reason"
          label="Reason (for other operators)"
          value={reason}
          onInput={setReason}
          error={error}
        />
        {error?.culprits.every(({ pointer }) => pointer === undefined) && (
          <div class="notice" data-tone="bad" role="alert">
            {error.message}
          </div>
        )}
        {error?.code === 'conflict' && (
          <label class="row">
            <input type="checkbox" checked={force} onInput={event => setForce(event.currentTarget.checked)} />
            Stop the last process too
          </label>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          {override !== null && (
            <button
              type="button"
              disabled={isRunning}
              onClick={() =>
                attempt(`${telephone} resumed.`, () =>
                  request('DELETE', `/v1/overrides/${override.id}`, { ifMatch: `"${override.version}"` }),
                )
              }
            >
              Resume
            </button>
          )}
          <button type="submit" class={action === 'Weight' ? 'primary' : 'danger'} disabled={isRunning}>
            {action === 'Weight' ? 'Set the weight' : action}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

const DONE = { Drain: 'drained', Eject: 'ejected' } as const
