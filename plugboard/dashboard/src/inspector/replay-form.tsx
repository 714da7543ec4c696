// The form of a replay: a person edits the request, chooses the telephone, and confirms a method that can change data.

import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import type { ExchangeBody, ReplayInput } from '../../../admin/api-types.ts'
import { Dialog } from '../forms/action.tsx'
import { draftOf, isSafe, lacksBody, type ReplayDraft, replayEdits } from './replay-edits.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

export function ReplayForm(props: {
  exchange: ExchangeBody
  /** Names of the telephones that serve the service. */
  telephones: readonly string[]
  /** Sends the request. Rejects with an Error, whose message is shown. */
  onReplay: (edits: ReplayInput) => Promise<void>
}) {
  const { exchange, telephones, onReplay } = props
  const [draft, setDraft] = useState<ReplayDraft>(() => draftOf(exchange))
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isRunning, setRunning] = useState(false)
  const [asked, setAsked] = useState<ReplayInput | undefined>(undefined)
  const change = (more: Partial<ReplayDraft>): void => setDraft(before => ({ ...before, ...more }))

  const send = async (edits: ReplayInput): Promise<void> => {
    setAsked(undefined)
    setRunning(true)
    try {
      await onReplay(edits)
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    }
    setRunning(false)
  }
  const submit = (): void => {
    const result = replayEdits(exchange, draft)
    setProblem(result.kind === 'invalid' ? result.problem : undefined)
    if (result.kind === 'invalid') return
    if (isSafe(draft.method)) void send(result.edits)
    else setAsked(result.edits)
  }
  return (
    <form
      class="stack"
      aria-label="Replay"
      onSubmit={event => {
        event.preventDefault()
        submit()
      }}
    >
      <p class="soft">
        Plugboard handles the replay like a request of the first client. Values that stay masked (***) are
        left out.
      </p>
      <div class="replay-line">
        <Labelled label="Method">
          {id => (
            <select
              id={id}
              value={draft.method}
              onChange={event => change({ method: event.currentTarget.value })}
            >
              {[...new Set([exchange.received.method, ...METHODS])].map(method => (
                <option key={method}>{method}</option>
              ))}
            </select>
          )}
        </Labelled>
        <Labelled label="Path and query">
          {id => (
            <input
              id={id}
              class="mono"
              value={draft.target}
              onInput={event => change({ target: event.currentTarget.value })}
            />
          )}
        </Labelled>
      </div>
      <Labelled label="Fields, one in each line">
        {id => (
          <textarea
            id={id}
            rows={linesOf(draft.fields, 4)}
            spellcheck={false}
            value={draft.fields}
            onInput={event => change({ fields: event.currentTarget.value })}
          />
        )}
      </Labelled>
      <Labelled label="Body">
        {id => (
          <textarea
            id={id}
            rows={linesOf(draft.body, 3)}
            spellcheck={false}
            value={draft.body}
            onInput={event => change({ body: event.currentTarget.value })}
          />
        )}
      </Labelled>
      {lacksBody(exchange.received) && (
        <p class="soft">
          The inspector has not kept the whole body. Write the body of the replay here; an empty text sends no
          body.
        </p>
      )}
      <Labelled label="Telephone">
        {id => (
          <select
            id={id}
            value={draft.telephone}
            onChange={event => change({ telephone: event.currentTarget.value })}
          >
            <option value="">chosen by the balancing policy</option>
            {telephones.map(name => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Labelled>
      {problem !== undefined && (
        <div class="notice" data-tone="bad" role="alert">
          {problem}
        </div>
      )}
      <div class="row">
        <button type="submit" class="primary" disabled={isRunning}>
          {isRunning ? 'Waiting for the response…' : 'Replay'}
        </button>
        <button type="button" disabled={isRunning} onClick={() => setDraft(draftOf(exchange))}>
          Reset
        </button>
      </div>
      {asked !== undefined && (
        <Dialog title={`Send ${draft.method} again?`} onClose={() => setAsked(undefined)}>
          <p>
            {draft.method} {draft.target} can change data at the backend. The backend may not recognise it as
            a repetition.
          </p>
          <div class="actions">
            <button type="button" onClick={() => setAsked(undefined)}>
              Cancel
            </button>
            <button type="button" class="primary" onClick={() => void send(asked)}>
              Send again
            </button>
          </div>
        </Dialog>
      )}
    </form>
  )
}

const linesOf = (text: string, least: number): number =>
  Math.min(14, Math.max(least, text.split('\n').length))

function Labelled({ label, children }: { label: string; children: (id: string) => ComponentChildren }) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
    </div>
  )
}
