// The API keys.

import type { KeyBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { request } from '../../api/request.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { Chip } from '../../parts/chip.tsx'
import { fullTime } from '../../parts/format.ts'
import { QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may, session } from '../../session/session.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { useList } from '../../tables/use-list.ts'
import { STATE_TONES } from './tokens.tsx'

export function Keys() {
  const list = useList<KeyBody>('/v1/keys', {}, changeCount)
  return (
    <div class="stack">
      <QueryNotice query={list.first} />
      {list.rows.length > 0 && (
        <DataTable
          label="API keys"
          rows={list.rows}
          keyOf={({ id }) => id}
          onEnd={list.loadMore}
          columns={[
            {
              name: 'Name',
              isWide: true,
              cell: ({ id, name }) => (
                <span class="row">
                  <strong>{name}</strong>{' '}
                  {id === session.value?.key.id && <Chip tone="accent">this session</Chip>}
                </span>
              ),
            },
            { name: 'Prefix', cell: ({ prefix }) => <span class="mono">{prefix}…</span> },
            { name: 'State', cell: ({ state }) => <Chip tone={STATE_TONES[state]}>{state}</Chip> },
            { name: 'Scopes', isWide: true, cell: ({ scopes }) => scopes.join(' ') },
            {
              name: 'Expires',
              cell: ({ expiresAt }) => (expiresAt === null ? 'never' : fullTime(expiresAt)),
            },
            { name: 'Last used', cell: ({ lastUsedAt }) => <TimeAgo time={lastUsedAt} /> },
            {
              name: 'Action',
              cell: ({ id, name, state, version }) =>
                state === 'active' &&
                may('keys:write') && (
                  <ConfirmButton
                    label="Revoke"
                    question={`Plugboard will reject the key ${name}. Sessions of the dashboard with this key end.`}
                    onConfirm={async () => {
                      await request('POST', `/v1/keys/${id}/revoke`, { ifMatch: `"${version}"` })
                      showMessage(`API key ${name} revoked.`)
                    }}
                  />
                ),
            },
          ]}
        />
      )}
    </div>
  )
}
