// The ids of lines and of the tunnels that they belong to. Other replicas receive both in documents of the registry.

import type { Branded } from '../common/ids/branded.ts'

/** Random, new for each tunnel. */
export type TunnelId = Branded<'TunnelId'>

/** Unique in the cluster: `<tunnel>/<service>`. */
export type LineId = Branded<'LineId'>

/** `text`: a random id that this replica has made, or the id that another replica has sent. */
export function asTunnelId(text: string): TunnelId {
  return text as TunnelId
}

export function lineId(tunnel: TunnelId, service: string): LineId {
  return `${tunnel}/${service}` as LineId
}

/** Where a stream between replicas goes: to one line, or to any line of a service. */
export type StreamTarget =
  | { readonly kind: 'line'; readonly tunnelId: TunnelId; readonly service: string }
  | { readonly kind: 'service'; readonly service: string }

/** Reads the name of a stream between replicas (PROTOCOL.md, feature `lines`). A name of a service has no slash. */
export function parseStreamTarget(name: string): StreamTarget {
  const slash = name.indexOf('/')
  if (slash === -1) return { kind: 'service', service: name }
  return { kind: 'line', tunnelId: asTunnelId(name.slice(0, slash)), service: name.slice(slash + 1) }
}
