// The owner of attempts: the exchange or upgrade that sends the request into the stream, and handles the response.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import type { ClientConnection } from '../connections/client-connection.ts'

/** The part of a client connection that attempts use: it keeps the requests of an authenticated client on one line. */
export type AffineConnection = Pick<ClientConnection, 'affinity' | 'authenticated'>

/** The exchange or upgrade that the attempts belong to. */
export interface AttemptsOwner extends Omit<StreamEvents, 'onAbort'> {
  /** True when the request has no body. */
  readonly endsWithHead: boolean
  /** True when the request can be sent again from its first byte, and no response has started. */
  readonly canReplay: boolean
  /** True while a part of the request body has not arrived. A slow upload is not a slow response. */
  readonly isUploading: boolean
  /** Stops reading from the client until `opened` is called, because no line takes the request yet. */
  hold(): void
  /** Sends the request from its first byte. The stream has sent the head. `isLater`: true for a retry, and after a wait. */
  opened(stream: Stream, isLater: boolean): void
  /** Responds with the error, because no further attempt is possible. `error`: set when a stream failed. */
  failed(code: ErrorCode, detail?: string, error?: TunnelError): void
  /** Responds with `circuit_open`, because the breaker of the service is open. */
  circuitOpen(retryAfterSeconds: number): void
  /** Called when a stream that the owner took with `takeStream` is aborted. Absent when the owner never takes the stream. */
  takenStreamAborted?(error: TunnelError): void
}
