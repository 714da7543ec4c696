// One change: its author, its time, its row, its difference, and its undo.

import type { ChangeBody } from '../../../../admin/api-types.ts'
import { fullTime } from '../../parts/format.ts'
import { hrefOf } from '../../shell/address.ts'
import { actorText, useActorNames } from './actor.ts'
import { diffOf, rowName } from './change-text.ts'
import { Diff } from './diff.tsx'
import { Undo } from './undo.tsx'

export function ChangeDetails({ change, onUndone }: { change: ChangeBody; onUndone: () => void }) {
  const { sequence, at, actor, entity, entityId, bundle, before, after } = change
  const names = useActorNames()
  const rowPath = pathOf(change)
  return (
    <div class="stack">
      <dl class="details">
        <dt>When</dt>
        <dd>{fullTime(at)}</dd>
        <dt>Who</dt>
        <dd>
          <a href={hrefOf(`/changes?actor=${encodeURIComponent(actor)}`)} title={actor}>
            {actorText(actor, names)}
          </a>
        </dd>
        <dt>Row</dt>
        <dd>{rowPath === undefined ? rowName(change) : <a href={hrefOf(rowPath)}>{rowName(change)}</a>}</dd>
        <dt>Change</dt>
        <dd>
          {sequence} ·{' '}
          <a href={hrefOf(`/changes?entity=${entity}&entityId=${entityId}`)}>changes of this row</a>
        </dd>
        {bundle !== null && (
          <>
            <dt>Bundle</dt>
            <dd>This change is a part of an import with several changes.</dd>
          </>
        )}
      </dl>
      <Diff lines={diffOf(before, after)} />
      <Undo change={change} onUndone={onUndone} />
    </div>
  )
}

/** Returns the page of the row; undefined when it has none, or when the row was deleted. */
function pathOf({ entity, entityId, after }: ChangeBody): string | undefined {
  if (after === null || after.deletedAt) return undefined
  if (entity === 'route') return `/routes/${entityId}`
  if (entity === 'process_override') return `/services/${after.service}`
  return entity === 'service' && typeof after.name === 'string' ? `/services/${after.name}` : undefined
}
