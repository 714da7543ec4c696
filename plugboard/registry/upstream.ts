// What a request needs of whatever carries its stream. A local tunnel is one, a link to a peer that holds the
// tunnel is another; the proxy cannot tell them apart.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'

export interface Upstream {
  /** False while it takes no new streams: still opening, draining, at its limit, or gone. */
  readonly canOpen: boolean
  /** False when this client holds its share of the streams there. Absent: no client has a limit. */
  hasRoomFor?(client: string): boolean
  /** False: nothing leads there now, or it is not known whether anything does: no choice for a stream that has another. */
  readonly reachable?: boolean
  /** Streams open now, of all services: what balancing compares. */
  readonly streamCount: number
  /** Throws TunnelError (draining, overloaded, client_share, session_lost). `end`: the request is complete with its head. */
  open(opening: Opening, events: StreamEvents, end: boolean): Stream
}
