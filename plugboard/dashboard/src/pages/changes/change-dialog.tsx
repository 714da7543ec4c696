// One change: its author, its time, its difference, and its undo. The API refuses the undo when the row has changed since: the dialog
// then shows the reason.

import { useState } from 'preact/hooks'
import type { ChangeBody } from '../../../../admin/api-types.ts'
import { ApiError, request } from '../../api/request.ts'
import { Dialog, showMessage } from '../../forms/action.tsx'
import { fullTime } from '../../parts/format.ts'
import { may } from '../../session/session.ts'
import { changeText, diffOf } from './change-text.ts'
import { Diff } from './diff.tsx'

const AREAS: Readonly<Record<ChangeBody['entity'], string>> = {
  route: 'routes:write',
  service: 'services:write',
  token: 'tokens:write',
  signing_key: 'keys:write',
  admin_key: 'keys:write',
  inspection: 'admin:write',
}

export function ChangeDialog({ change, onClose }: { change: ChangeBody; onClose: () => void }) {
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isRunning, setRunning] = useState(false)
  const undo = async (): Promise<void> => {
    setRunning(true)
    try {
      await request('POST', `/v1/changes/${change.sequence}/undo`)
      showMessage(`Undone: ${changeText(change)}.`)
      onClose()
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : String(error))
    }
    setRunning(false)
  }
  return (
    <Dialog title={changeText(change)} onClose={onClose}>
      <dl class="details">
        <dt>When</dt>
        <dd>{fullTime(change.at)}</dd>
        <dt>Who</dt>
        <dd class="mono">{change.actor}</dd>
        <dt>Change</dt>
        <dd>{change.sequence}</dd>
      </dl>
      <Diff lines={diffOf(change.before, change.after)} />
      {problem !== undefined && (
        <div class="notice" data-tone="bad" role="alert">
          {problem}
        </div>
      )}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
        {may(AREAS[change.entity]) && (
          <button type="button" class="primary" disabled={isRunning} onClick={undo}>
            Undo
          </button>
        )}
      </div>
    </Dialog>
  )
}
