// The inspector: the services with the state of their capture, the exchanges of one service, and one exchange. Each has its own address.

import { useRoute } from 'preact-iso'
import { may } from '../../session/session.ts'
import { TrafficHead } from '../traffic/traffic-head.tsx'
import { InspectedServices } from './inspected-services.tsx'
import { ServiceExchanges } from './service-exchanges.tsx'

export function InspectorPage() {
  const { service, exchange } = useRoute().params
  return (
    <>
      <TrafficHead view="inspector" />
      {!may('traffic:read') ? (
        <p class="soft">Your API key lacks the scope traffic:read, so it cannot read exchanges.</p>
      ) : service === undefined ? (
        <InspectedServices />
      ) : (
        <ServiceExchanges key={service} service={service} exchange={exchange} />
      )}
    </>
  )
}
