// The undo of one change, or of all changes from the newest one back to it. A dry run first shows the whole difference, the changes that
// cannot be undone, and the conflicts. The undo then covers exactly the changes of the dry run.

import { useState } from 'preact/hooks'
import type { ChangeBody, UndoneBody } from '../../../../admin/api-types.ts'
import { ApiError, asApiError, get, request } from '../../api/request.ts'
import { showMessage } from '../../forms/action.tsx'
import { count } from '../../parts/format.ts'
import { may } from '../../session/session.ts'
import type { ListPage } from '../../tables/use-list.ts'
import { changeText, diffOf, valueText } from './change-text.ts'
import { Diff } from './diff.tsx'

/** The scopes for the rows whose changes can be undone. */
const SCOPES: Readonly<Partial<Record<ChangeBody['entity'], string>>> = {
  route: 'routes:write',
  service: 'services:write',
  process_override: 'services:write',
}

interface Plan {
  /** The newest change to undo; undefined: only this one. */
  readonly through: number | undefined
  readonly result: UndoneBody | undefined
  readonly problem: ApiError | undefined
}

export function Undo({ change, onUndone }: { change: ChangeBody; onUndone: () => void }) {
  const { sequence, entity } = change
  const [plan, setPlan] = useState<Plan | undefined>(undefined)
  const [isRunning, setRunning] = useState(false)
  const scope = SCOPES[entity]
  const undo = (through: number | undefined, dryRun: true | undefined) =>
    request<UndoneBody>('POST', `/v1/changes/${sequence}/undo`, { query: { dryRun, through } })

  const attempt = async (toHere: boolean): Promise<void> => {
    setRunning(true)
    let through: number | undefined
    try {
      if (toHere) through = await newestSequence()
      const { body } = await undo(through, true)
      setPlan({ through, result: body, problem: undefined })
    } catch (error) {
      setPlan({ through, result: undefined, problem: asApiError(error) })
    }
    setRunning(false)
  }
  const confirm = async (): Promise<void> => {
    setRunning(true)
    try {
      const { body } = await undo(plan?.through, undefined)
      const { length } = body.changes
      showMessage(
        length === 1
          ? `Undone: ${changeText(change)}.`
          : `Undone. The undo wrote ${count(length)} new changes.`,
      )
      onUndone()
    } catch (error) {
      setPlan({ through: plan?.through, result: undefined, problem: asApiError(error) })
    }
    setRunning(false)
  }

  if (scope === undefined)
    return <p class="soft">Changes of tokens, keys and inspections cannot be undone.</p>
  if (!may(scope)) return <p class="soft">To undo this change, your API key needs the scope {scope}.</p>
  return (
    <section class="stack" aria-label="Undo">
      {plan?.result === undefined && (
        <div class="row">
          <button type="button" class="primary" disabled={isRunning} onClick={() => attempt(false)}>
            Undo…
          </button>
          <button type="button" disabled={isRunning} onClick={() => attempt(true)}>
            Undo to here…
          </button>
          <span class="soft small">"To here" undoes this change and all later ones.</span>
        </div>
      )}
      {plan?.problem !== undefined && <Conflict problem={plan.problem} />}
      {plan?.result !== undefined && (
        <>
          <Preview result={plan.result} />
          <div class="row">
            <button type="button" class="primary" disabled={isRunning} onClick={confirm}>
              {plan.through === undefined || plan.through === sequence
                ? 'Undo this change'
                : 'Undo all of them'}
            </button>
            <button type="button" disabled={isRunning} onClick={() => setPlan(undefined)}>
              Cancel
            </button>
          </div>
        </>
      )}
    </section>
  )
}

function Preview({ result: { changes, skipped } }: { result: UndoneBody }) {
  return (
    <section class="stack" aria-label="What the undo changes">
      <h3>
        The undo makes {count(changes.length)} {changes.length === 1 ? 'change' : 'changes'}
      </h3>
      <div class="preview stack">
        {changes.map(each => (
          <div key={each.sequence}>
            <p>{changeText(each)}</p>
            <Diff lines={diffOf(each.before, each.after)} />
          </div>
        ))}
      </div>
      {skipped.length > 0 && (
        <div class="notice" data-tone="warn">
          <p>These changes stay:</p>
          <ul>
            {skipped.map(({ sequence, reason }) => (
              <li key={sequence}>
                {sequence}: {reason}
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}

function Conflict({ problem }: { problem: ApiError }) {
  const { differences = [] } = problem.problem
  return (
    <div class="notice" data-tone="bad" role="alert">
      <p>
        {differences.length === 0
          ? problem.message
          : 'The row has changed since, so this change alone cannot be undone.'}
      </p>
      {differences.length > 0 && (
        <dl class="details fields">
          {differences.map(({ pointer, expected, actual }) => (
            <Difference key={pointer} pointer={pointer} expected={expected} actual={actual} />
          ))}
        </dl>
      )}
      {differences.length > 0 && <p>Undo the later changes too ("Undo to here…"), or edit the row.</p>}
    </div>
  )
}

const Difference = ({
  pointer,
  expected,
  actual,
}: {
  pointer: string
  expected: unknown
  actual: unknown
}) => (
  <>
    <dt>{pointer}</dt>
    <dd>
      {valueText(expected)} after this change, {valueText(actual)} now
    </dd>
  </>
)

async function newestSequence(): Promise<number> {
  const { items } = await get<ListPage<ChangeBody>>('/v1/changes', { limit: 1 })
  const [newest] = items
  if (newest === undefined) throw new ApiError(404, { detail: 'The change log is empty.' })
  return newest.sequence
}
