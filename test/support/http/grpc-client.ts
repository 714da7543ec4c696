// A gRPC client for the echo of grpc-backend.ts: each call as a promise of everything that came back.

import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type StatusObject,
} from '@grpc/grpc-js'
import { ECHO } from '../backend/grpc-backend.ts'

/** How a call has ended, well or not. */
export interface GrpcResult {
  readonly code: number
  readonly details: string
  readonly messages: string[]
  readonly trailers: Metadata
}

const asIs = (bytes: Buffer): Buffer => bytes

export class GrpcClient {
  readonly #client: Client

  /** `authority`: the host that the server sees, and is asked to prove where there is a `ca` (PEM); else cleartext. */
  constructor(port: number, authority = 'grpc.test', ca?: string) {
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca))
    this.#client = new Client(`127.0.0.1:${port}`, channel, {
      ...(ca !== undefined && { 'grpc.ssl_target_name_override': authority }),
      'grpc.default_authority': authority,
      // A subchannel of its own: none is left over from another test.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
    })
  }

  unary(
    message: string | Buffer,
    options: CallOptions = {},
    metadata = new Metadata(),
    path: string = ECHO.unary,
  ): Promise<GrpcResult> {
    return new Promise(resolve => {
      const messages: string[] = []
      const call = this.#client.makeUnaryRequest(
        path,
        asIs,
        asIs,
        Buffer.from(message),
        metadata,
        options,
        (_error, response) => response && messages.push(textOf(response)),
      )
      call.on('status', status => resolve(resultOf(status, messages)))
    })
  }

  serverStreaming(message: string, options: CallOptions = {}): ClientReadableStream<Buffer> {
    return this.#client.makeServerStreamRequest(
      ECHO.serverStreaming,
      asIs,
      asIs,
      Buffer.from(message),
      options,
    )
  }

  clientStreaming(messages: readonly (string | Buffer)[], options: CallOptions = {}): Promise<GrpcResult> {
    return new Promise(resolve => {
      const responses: string[] = []
      const call = this.#client.makeClientStreamRequest(
        ECHO.clientStreaming,
        asIs,
        asIs,
        options,
        (_error, response) => {
          if (response) responses.push(textOf(response))
        },
      )
      call.on('status', status => resolve(resultOf(status, responses)))
      for (const message of messages) call.write(Buffer.from(message))
      call.end()
    })
  }

  bidirectional(options: CallOptions = {}): ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(ECHO.bidirectional, asIs, asIs, options)
  }

  close(): void {
    this.#client.close()
  }
}

/** Reads a stream of answers to its end. */
export function resultOfStream(call: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>) {
  return new Promise<GrpcResult>(resolve => {
    const messages: string[] = []
    call.on('data', (message: Buffer) => messages.push(textOf(message)))
    call.on('status', (status: StatusObject) => resolve(resultOf(status, messages)))
    // Told by the status as well.
    call.on('error', () => undefined)
  })
}

function resultOf({ code, details, metadata }: StatusObject, messages: string[]): GrpcResult {
  return { code, details, messages, trailers: metadata }
}

function textOf(message: Buffer): string {
  return message.length > 100 ? `${message.length} bytes` : message.toString()
}
