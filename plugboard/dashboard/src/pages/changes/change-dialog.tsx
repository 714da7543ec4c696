// One change in a dialog, for pages that show a change beside other rows.

import type { ChangeBody } from '../../../../admin/api-types.ts'
import { Dialog } from '../../forms/action.tsx'
import { ChangeDetails } from './change-details.tsx'
import { changeText } from './change-text.ts'

export function ChangeDialog({ change, onClose }: { change: ChangeBody; onClose: () => void }) {
  return (
    <Dialog title={changeText(change)} onClose={onClose}>
      <ChangeDetails change={change} onUndone={onClose} />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}
