// What the bench's client processes are asked for and what they answer: one JSON argument, one JSON line. They
// are processes of their own, so that they do not share an event loop with anything measured.

/** Where a client connects. */
export interface Peer {
  readonly port: number
  readonly host: string
}

export interface LoadJob extends Peer {
  readonly kind: 'load'
  readonly seconds: number
  readonly connections: number
  /** HTTP/1.1 over TLS, by our own client. */
  readonly tls?: boolean
}
/** GETs, or unary gRPC calls, over HTTP/2 and TLS. */
export interface StreamsJob extends Peer {
  readonly kind: 'http2' | 'grpc'
  readonly seconds: number
  readonly connections: number
  /** Requests under way on each connection. */
  readonly streams: number
}
/** A connection for each GET. */
export interface HandshakeJob extends Peer {
  readonly kind: 'handshake'
  readonly seconds: number
  /** Connections at once. */
  readonly connections: number
  /** Each but the first resumes the session of the one before. */
  readonly resume: boolean
}
export interface LoadResult {
  readonly requests: number
  readonly errors: number
  readonly seconds: number
  readonly latencyMs: { readonly p50: number; readonly p99: number }
}

export interface TransferJob extends Peer {
  readonly kind: 'download' | 'upload'
  readonly bytes: number
}
export interface TransferResult {
  readonly bytes: number
  readonly seconds: number
}

/** Asks for a download, reads its first bytes, and then nothing until it is stopped. Prints when it has stalled. */
export interface StallJob extends Peer {
  readonly kind: 'stall'
  readonly bytes: number
}
export interface StallResult {
  readonly stalled: true
}

export interface SseJob extends Peer {
  readonly kind: 'sse'
  readonly streams: number
  readonly seconds: number
  readonly intervalMs: number
}
export interface SseResult {
  readonly events: number
  readonly expected: number
  /** From the backend's write to the client's read. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

export interface WebSocketJob extends Peer {
  readonly kind: 'websocket'
  readonly sockets: number
  readonly messageBytes: number
  readonly seconds: number
}
export interface WebSocketResult {
  readonly messages: number
  readonly seconds: number
}

export type Job = LoadJob | StreamsJob | HandshakeJob | TransferJob | StallJob | SseJob | WebSocketJob
export type ResultOf<J extends Job> = J extends LoadJob | StreamsJob | HandshakeJob
  ? LoadResult
  : J extends TransferJob
    ? TransferResult
    : J extends StallJob
      ? StallResult
      : J extends SseJob
        ? SseResult
        : WebSocketResult
