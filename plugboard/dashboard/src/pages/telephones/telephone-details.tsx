// The drawer of a telephone: its actions, its tunnels, and the history of its connections. The history is also shown for a telephone
// that is not connected.

import type { ListedTelephone, TokenBody } from '../../../../admin/api-types.ts'
import { get, request } from '../../api/request.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { Chip } from '../../parts/chip.tsx'
import { fullTime, milliseconds } from '../../parts/format.ts'
import { may } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import type { Telephone } from './telephone.ts'
import { TokenLeft } from './token-left.tsx'
import { TunnelEvents } from './tunnel-events.tsx'

export function TelephoneDetails({ name, telephone }: { name: string; telephone: Telephone | undefined }) {
  return (
    <div class="stack">
      {telephone === undefined ? (
        <p class="soft">This telephone is not connected.</p>
      ) : (
        <>
          {may('tokens:write') && <Actions telephone={telephone} />}
          {telephone.tunnels.map(tunnel => (
            <Tunnel key={tunnel.id} tunnel={tunnel} />
          ))}
        </>
      )}
      <TunnelEvents name={name} />
    </div>
  )
}

/** The ids of our own tokens. Plugboard has no row of a token of an outside issuer. */
const ownTokens = ({ tunnels }: Telephone): string[] =>
  [...new Set(tunnels.map(({ tokenId }) => tokenId))].filter(id => !id.includes('#'))

function Actions({ telephone }: { telephone: Telephone }) {
  const { name } = telephone
  const tokens = ownTokens(telephone)
  return (
    <div class="row">
      <ConfirmButton
        label="Disconnect"
        tone="plain"
        question={`All tunnels of ${name} close, and its open requests end. The telephone connects again within seconds.`}
        onConfirm={async () => {
          await request('POST', `/v1/telephones/${encodeURIComponent(name)}/disconnect`)
          showMessage(`${name} disconnected.`)
        }}
      />
      {tokens.length > 0 && may('tokens:read') && (
        <ConfirmButton
          label="Revoke its token"
          question={`All telephones with the token of ${name} lose their tunnels at once, and cannot connect with it again.`}
          onConfirm={async () => {
            for (const id of tokens) {
              const { version } = await get<TokenBody>(`/v1/tokens/${id}`)
              await request('POST', `/v1/tokens/${id}/revoke`, { ifMatch: `"${version}"` })
            }
            showMessage(`The token of ${name} is revoked.`)
          }}
        />
      )}
    </div>
  )
}

function Tunnel({ tunnel }: { tunnel: ListedTelephone }) {
  return (
    <section class="card" aria-label={`Tunnel on ${tunnel.replicaId}`}>
      <header>
        <h3>Tunnel on {tunnel.replicaId}</h3>
      </header>
      <dl class="details">
        <dt>Connected</dt>
        <dd>{fullTime(tunnel.connectedAt)}</dd>
        <dt>From</dt>
        <dd class="mono">{tunnel.remoteAddress}</dd>
        <dt>Round trip</dt>
        <dd>{milliseconds(tunnel.rttMs)}</dd>
        <dt>Agent</dt>
        <dd>{tunnel.agent}</dd>
        <dt>Token</dt>
        <dd>
          <span class="mono">{tunnel.tokenId}</span>, <TokenLeft until={tunnel.tokenExpiresAt} /> left
        </dd>
        <dt>Tunnel id</dt>
        <dd class="mono">{tunnel.id}</dd>
      </dl>
      <ul class="list">
        {tunnel.services.map(({ service, mounts, weight, version, labels, health, outage }) => (
          <li key={service}>
            <a href={hrefOf(`/services/${service}`)}>{service}</a>
            <span class="spring soft small">
              {[
                ...mounts,
                `weight ${weight}`,
                version,
                ...Object.entries(labels).map(([key, value]) => `${key}=${value}`),
              ]
                .filter(text => text !== '')
                .join(' · ')}
              {outage !== null && <div class="bad">{outage.detail}</div>}
            </span>
            <Chip tone={health === 'up' ? 'good' : 'bad'}>{health}</Chip>
          </li>
        ))}
      </ul>
    </section>
  )
}
