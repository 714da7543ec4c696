// The parts of the replica that every tunnel uses, and the owner that a tunnel notifies.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Registry } from '../../registry/registry.ts'
import type { AnnouncementOptions } from '../announcement.ts'
import type { ServiceHistory } from '../lines/service-history.ts'
import type { SharedServices } from '../lines/shared-services.ts'
import type { TelephoneInstances } from '../telephone-instances.ts'
import type { TokenUsage } from '../tokens/token-usage.ts'
import type { TokenIssuer } from '../tokens/tokens.ts'
import type { TunnelHistory } from './tunnel-history.ts'
import type { TunnelTotals } from './tunnel-totals.ts'

export interface TunnelContext extends AnnouncementOptions {
  readonly clock: Clock
  readonly replicaId: ReplicaId
  readonly registry: Registry
  readonly instances: TelephoneInstances
  readonly shared: SharedServices
  readonly usage: TokenUsage
  readonly totals: Pick<TunnelTotals, 'roundTrips' | 'closed'>
  readonly history: Pick<ServiceHistory, 'tunnelEnded' | 'refused'>
  readonly tunnelHistory: Pick<TunnelHistory, 'connected' | 'disconnected'>
  readonly tokens: Pick<TokenIssuer, 'renew' | 'expiryOf'>
  readonly log: Logger
}
