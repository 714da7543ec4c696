// The kinds of streams. The OPEN frame carries the number of the kind. A receiver refuses a stream of an unknown kind with
// `unknown_kind`, so that new kinds need no new protocol version. PROTOCOL.md reserves the numbers 3 and 4.

export const STREAM_KINDS = {
  /** One HTTP exchange: head, body, trailers, both ways. Fields: service, method, target, then headers. */
  http: 1,
  /** An HTTP request that asks for an upgrade; after a 101 both directions are plain bytes. Fields as `http`. */
  upgrade: 2,
  /** The receiver sends back what it gets. Tests the whole data path of a session. */
  echo: 5,
  /** Between replicas: their registries' messages, each behind its length (u32). */
  registry: 6,
  /** Between replicas: a question and its response, each one JSON text. Fields: none, none, the name of the query. */
  query: 9,
} as const

export type StreamKind = keyof typeof STREAM_KINDS

const BY_NUMBER = new Map<number, StreamKind>(
  (Object.keys(STREAM_KINDS) as StreamKind[]).map(kind => [STREAM_KINDS[kind], kind]),
)

/** The kind for a number from the wire, or undefined when this end does not know it. */
export function streamKindOfNumber(number: number): StreamKind | undefined {
  return BY_NUMBER.get(number)
}
