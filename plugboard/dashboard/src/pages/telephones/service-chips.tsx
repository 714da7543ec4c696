// The services of a telephone, each with its state.

import type { ListedTelephone } from '../../../../admin/api-types.ts'
import { Chip } from '../../parts/chip.tsx'

export function ServiceChips({ tunnels }: { tunnels: readonly ListedTelephone[] }) {
  const services = new Map(tunnels.flatMap(tunnel => tunnel.services).map(each => [each.service, each]))
  if (services.size === 0) return <span class="soft">none</span>
  return (
    <span class="row chips">
      {[...services.values()].map(({ service, health, outage, ejections }) => {
        const isEjected = ejections.some(({ state }) => state === 'ejected')
        const tone = health === 'down' || isEjected ? 'bad' : 'good'
        return (
          <Chip key={service} tone={tone} title={outage === null ? service : `${service}: ${outage.detail}`}>
            {service}
            {health === 'down' ? ': down' : isEjected ? ': ejected' : ''}
          </Chip>
        )
      })}
    </span>
  )
}
