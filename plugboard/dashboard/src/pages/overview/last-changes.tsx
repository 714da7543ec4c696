// The last changes of rows.

import type { ChangeBody } from '../../../../admin/api-types.ts'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { changeText } from '../changes/change-text.ts'

export function LastChanges(props: {
  changes: readonly ChangeBody[]
  onOpen: (change: ChangeBody) => void
  onAll?: () => void
}) {
  const { changes, onOpen, onAll } = props
  return (
    <section class="card" aria-label="Last changes">
      <header>
        <h2>Last changes</h2>
        <span class="spring" />
        {onAll !== undefined && (
          <button type="button" class="link" onClick={onAll}>
            All changes
          </button>
        )}
      </header>
      {changes.length === 0 && <p class="soft">No change yet.</p>}
      <ul class="list">
        {changes.map(change => (
          <li key={change.sequence}>
            <span class="spring">
              <button type="button" class="link" onClick={() => onOpen(change)}>
                {changeText(change)}
              </button>
            </span>
            <span class="soft small">
              <TimeAgo time={change.at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
