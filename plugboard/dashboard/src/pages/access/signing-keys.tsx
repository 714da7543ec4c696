// The keys that sign tokens.

import type { SigningKeyBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may } from '../../session/session.ts'
import { DataTable } from '../../tables/data-table.tsx'

export function SigningKeys() {
  const query = useQuery<{ items: readonly SigningKeyBody[] }>(
    'signing keys',
    signal => get('/v1/signing-keys', {}, signal),
    { on: changeCount },
  )
  return (
    <div class="stack">
      <QueryNotice query={query} />
      {query.data !== undefined && (
        <DataTable
          label="Signing keys"
          rows={query.data.items}
          keyOf={({ kid }) => kid}
          columns={[
            { name: 'Key', isWide: true, cell: ({ kid }) => <span class="mono">{kid}</span> },
            {
              name: 'State',
              cell: ({ retiredAt }) => (retiredAt === null ? 'signs and verifies' : 'verifies only'),
            },
            { name: 'Created', cell: ({ createdAt }) => <TimeAgo time={createdAt} /> },
          ]}
        />
      )}
      <section class="card" aria-label="Rotation">
        <header>
          <h2>Replace a signing key</h2>
        </header>
        <ol class="steps">
          <li>
            Rotate: Plugboard signs new and renewed tokens with a new key. The old key still verifies tokens.
          </li>
          <li>
            A telephone renews its token after two thirds of its lifetime. Wait until each one has renewed it.
            Issue new tokens for telephones that are not connected.
          </li>
          <li>
            Remove the old key: <code>plugboard signing-key remove KID</code>. Plugboard then refuses each
            token that it signed, and closes the tunnels of these tokens.
          </li>
        </ol>
      </section>
      {may('keys:write') && (
        <div class="row">
          <ConfirmButton
            label="Rotate"
            tone="plain"
            question="Plugboard will sign new tokens with a new key. Existing tokens stay valid until they expire."
            onConfirm={async () => {
              await request('POST', '/v1/signing-keys/rotate')
              showMessage('New tokens are signed with a new key.')
            }}
          />
        </div>
      )}
    </div>
  )
}
