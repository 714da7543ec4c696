// Builds the list of connected telephones for the admin API, one entry for each tunnel of this replica. The fields are
// described in listed-telephone.ts. The stops of all replicas are added by admin/live/with-stops.ts.

import type { ReplicaId } from '../common/ids/replica-id.ts'
import { tokenText } from '../database/store/values/token-reference.ts'
import { cleanOutage, type LineOutage } from '../registry/line-outage.ts'
import type { ListedService, ListedTelephone } from './listed-telephone.ts'
import type { TelephoneTunnel } from './tunnels/telephone-tunnel.ts'

/** Leaves out tunnels whose hello has not arrived. `nowMs`: the wall time. */
export function listTelephones(
  tunnels: Iterable<TelephoneTunnel>,
  replicaId: ReplicaId,
  nowMs: number,
): ListedTelephone[] {
  const telephones: ListedTelephone[] = []
  for (const tunnel of tunnels) {
    const { hello, session } = tunnel
    if (hello === undefined) continue
    telephones.push({
      id: tunnel.tunnelId,
      name: hello.name,
      instance: hello.instance,
      agent: hello.agent,
      remoteAddress: tunnel.remoteAddress,
      connectedAt: tunnel.connectedAt.toISOString(),
      services: servicesOf(tunnel, nowMs),
      tokenId: tokenText(tunnel.credential.token),
      tokenExpiresAt: timeText(tunnel.credential.expiresAtMs),
      streams: session.streamCount,
      rttMs: session.rttMs ?? null,
      replicaId,
    })
  }
  return telephones
}

/** Returns null for a time that no date can have. A token of an outside issuer may have any number. */
function timeText(ms: number): string | null {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}

function servicesOf(tunnel: TelephoneTunnel, nowMs: number): ListedService[] {
  const services = new Map<string, ListedService>()
  for (const { announcement, mount } of tunnel.services) {
    const { service, health, weight, version, labels } = announcement
    const outage = health === 'down' ? outageOf(announcement.outage, nowMs) : null
    const stops = { override: null, ejections: [], subsetStops: [] }
    const fields = { service, health, weight, version, outage, labels: { ...labels }, ...stops }
    const entry = services.get(service) ?? { ...fields, mounts: [] }
    if (mount !== undefined) entry.mounts.push(mount)
    services.set(service, entry)
  }
  return [...services.values()]
}

function outageOf(announced: LineOutage | undefined, nowMs: number): ListedService['outage'] {
  const outage = cleanOutage(announced, nowMs)
  if (outage === undefined) return null
  const { sinceMs, cause = null, detail } = outage
  return { since: new Date(sinceMs).toISOString(), cause, detail }
}
