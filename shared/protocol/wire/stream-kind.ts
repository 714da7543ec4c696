// The kinds of streams. The OPEN frame carries the number of the kind. A receiver refuses a stream of an unknown kind with
// `unknown_kind`, so that new kinds need no new protocol version. PROTOCOL.md reserves the numbers 3 and 4.

export const STREAM_KINDS = {
  /** One HTTP exchange: head, body, trailers, both ways. Fields: service, method, target, then headers. */
  http: 1,
  /** An HTTP request that asks for an upgrade; after a 101 both directions are plain bytes. Fields as `http`. */
  upgrade: 2,
  /** The receiver sends all received bytes back. This tests the whole data path of a session. */
  echo: 5,
  /** Between replicas: messages of the registries, each one preceded by its length (u32). */
  registry: 6,
  /** Between replicas: the totals that each has admitted for the keys of limits, each message preceded by its length (u32). */
  share: 7,
  /** Between replicas: live data, such as the lines of the live log, each message preceded by its length (u32). */
  observe: 8,
  /** Between replicas: a query and its response, each one JSON text. Service and method are empty; target is the query. */
  query: 9,
} as const

export type StreamKind = keyof typeof STREAM_KINDS

const BY_NUMBER = new Map<number, StreamKind>(
  (Object.keys(STREAM_KINDS) as StreamKind[]).map(kind => [STREAM_KINDS[kind], kind]),
)

/** Returns the kind for a number from the wire, or undefined for an unknown number. */
export function streamKindOfNumber(number: number): StreamKind | undefined {
  return BY_NUMBER.get(number)
}
