// The interface that opens the stream of a request. A local tunnel implements it, and so does a link to the peer that holds the
// tunnel; both look the same to the proxy.

import type { Opening, Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'

export interface Upstream {
  /** False while it takes no new streams: it is still opening, draining, at its limit, or closed. */
  readonly canOpen: boolean
  /** Returns false when this client holds its share of the streams there. Absent: clients have no limit. */
  hasRoomFor?(client: string): boolean
  /** False: there is no connection, or it is not confirmed alive. A stream should use another upstream if possible. */
  readonly reachable?: boolean
  /** Number of open streams of all services. Balancing compares it. */
  readonly streamCount: number
  /**
   * Opens a stream. `end`: the request ends with its head. Throws TunnelError (draining, overloaded, client_share,
   * session_lost).
   */
  open(opening: Opening, events: StreamEvents, end: boolean): Stream
}
