// The tokens of telephones.

import type { TokenBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { request } from '../../api/request.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { Empty } from '../../parts/empty.tsx'
import { duration, fullTime } from '../../parts/format.ts'
import { QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may } from '../../session/session.ts'
import { DataTable } from '../../tables/data-table.tsx'
import { useList } from '../../tables/use-list.ts'

export const STATE_TONES: Readonly<Record<TokenBody['state'], Tone>> = {
  active: 'good',
  expired: 'warn',
  revoked: 'bad',
}

export function Tokens() {
  const list = useList<TokenBody>('/v1/tokens', {}, changeCount)
  return (
    <div class="stack">
      <QueryNotice query={list.first} />
      {list.first.data !== undefined && list.rows.length === 0 && (
        <Empty
          title="No token yet"
          commands={['npx --no plugboard token issue --name web-1 --service web --ttl 30d']}
        />
      )}
      {list.rows.length > 0 && (
        <DataTable
          label="Tokens"
          rows={list.rows}
          keyOf={({ id }) => id}
          onEnd={list.loadMore}
          columns={[
            { name: 'Name', isWide: true, cell: ({ name }) => <strong>{name}</strong> },
            { name: 'State', cell: ({ state }) => <Chip tone={STATE_TONES[state]}>{state}</Chip> },
            { name: 'Services', isWide: true, cell: ({ services }) => services.join(' ') },
            { name: 'Mounts', isWide: true, cell: ({ mounts }) => mounts.join(' ') },
            { name: 'Tunnels', align: 'end', cell: ({ usage }) => usage.tunnels },
            {
              name: 'Left',
              align: 'end',
              cell: token => <Left token={token} />,
            },
            { name: 'Last seen', cell: ({ lastSeenAt }) => <TimeAgo time={lastSeenAt} /> },
            {
              name: 'Action',
              cell: ({ id, name, state, version }) =>
                state === 'active' &&
                may('tokens:write') && (
                  <ConfirmButton
                    label="Revoke"
                    question={`Plugboard disconnects telephones with the token ${name} at once. They cannot connect with it again.`}
                    onConfirm={async () => {
                      await request('POST', `/v1/tokens/${id}/revoke`, { ifMatch: `"${version}"` })
                      showMessage(`Token ${name} revoked.`)
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

/** A person has this time for a new token. */
const SOON_MS = 3 * 86_400_000

/** The rest of the life of a token. A token that ends soon has a chip. */
function Left({ token: { state, expiresAt } }: { token: TokenBody }) {
  if (state === 'revoked') return <>–</>
  const leftMs = Date.parse(expiresAt) - Date.now()
  const title = fullTime(expiresAt)
  if (state === 'expired' || leftMs <= 0)
    return (
      <Chip tone="bad" title={title}>
        expired
      </Chip>
    )
  const text = duration(leftMs / 1000)
  return leftMs < SOON_MS ? (
    <Chip tone="warn" title={title}>
      {text}
    </Chip>
  ) : (
    <span title={title}>{text}</span>
  )
}
