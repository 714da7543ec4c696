// The jobs and results of the client processes of the bench: one JSON argument, and one JSON line as the result. The clients
// are separate processes, so that they do not share an event loop with the measured code.

/** The address to which a client connects. */
export interface Peer {
  readonly port: number
  readonly host: string
}

export interface LoadJob extends Peer {
  readonly kind: 'load'
  readonly seconds: number
  readonly connections: number
  /** True for HTTP/1.1 over TLS, with our own client. */
  readonly tls?: boolean
}
/** A job of GETs or unary gRPC calls over HTTP/2 and TLS. */
export interface StreamsJob extends Peer {
  readonly kind: 'http2' | 'grpc'
  readonly seconds: number
  readonly connections: number
  /** Open requests on each connection. */
  readonly streams: number
}
/** A job with a new connection for each GET. */
export interface HandshakeJob extends Peer {
  readonly kind: 'handshake'
  readonly seconds: number
  /** Connections at the same time. */
  readonly connections: number
  /** True when each connection except the first one resumes the session of the one before. */
  readonly resume: boolean
}
export interface LoadResult {
  readonly requests: number
  readonly errors: number
  readonly seconds: number
  readonly latencyMs: { readonly p50: number; readonly p99: number }
}

/** A job of GETs at random times that do not depend on responses. */
export interface ArrivalsJob extends Peer {
  readonly kind: 'arrivals'
  readonly perSecond: number
  /** Time before the measured time, with the same load. */
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Number of backends, which give their index in `x-backend`. */
  readonly backends: number
  readonly seed: number
}
export interface ArrivalsResult {
  readonly requests: number
  readonly errors: number
  /** Requests by the index of the backend. */
  readonly byBackend: readonly number[]
  readonly latencyMs: { readonly p50: number; readonly p99: number }
}

/** A job without a peer: checks of rate limits. */
export interface LimitsJob {
  readonly kind: 'limits'
  readonly requests: number
  /** Limits of the route. */
  readonly limits: number
  /** Keys of all limits together. */
  readonly keys: number
}
export interface LimitsResult {
  readonly nsPerRequest: number
  readonly nsPerLimit: number
  readonly rejected: number
  /** Keys in the table at the end. */
  readonly keys: number
  /** Memory that the table has taken. */
  readonly rssBytes: number
}

/** A job without a peer: the trace of requests. */
export interface TracesJob {
  readonly kind: 'traces'
  readonly requests: number
  /** The part of the requests to trace; null: traces are off. */
  readonly sample: number | null
}
export interface TracesResult {
  readonly nsPerRequest: number
}

/** A job without a peer: the exchange of limits between two replicas. */
export interface LimitShareJob {
  readonly kind: 'limit-share'
  /** Keys that admit requests in each interval. */
  readonly keys: number
  readonly intervals: number
}
export interface LimitShareResult {
  readonly bytesPerSecond: number
  readonly messagesPerSecond: number
  /** CPU of both replicas, with the checks of the requests. */
  readonly cpuMsPerSecond: number
  /** Keys at the receiver at the end. */
  readonly keys: number
  /** Memory of one replica. */
  readonly rssBytes: number
}

export interface TransferJob extends Peer {
  readonly kind: 'download' | 'upload'
  readonly bytes: number
}
export interface TransferResult {
  readonly bytes: number
  readonly seconds: number
}

/**
 * A job that starts a download, reads its first bytes, and stops reading until it is ended. It prints a line when it stalls.
 */
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
  /** The time from the write of the backend to the read of the client. */
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

export type Job =
  | LoadJob
  | StreamsJob
  | HandshakeJob
  | ArrivalsJob
  | LimitsJob
  | LimitShareJob
  | TracesJob
  | TransferJob
  | StallJob
  | SseJob
  | WebSocketJob

interface Results {
  readonly load: LoadResult
  readonly http2: LoadResult
  readonly grpc: LoadResult
  readonly handshake: LoadResult
  readonly arrivals: ArrivalsResult
  readonly limits: LimitsResult
  readonly 'limit-share': LimitShareResult
  readonly traces: TracesResult
  readonly download: TransferResult
  readonly upload: TransferResult
  readonly stall: StallResult
  readonly sse: SseResult
  readonly websocket: WebSocketResult
}
export type ResultOf<J extends Job> = Results[J['kind']]
