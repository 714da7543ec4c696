// A gRPC client for the echo server of grpc-backend.ts. Each call is a promise of the whole response.

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

/** The end of a call, successful or not. */
export interface GrpcResult {
  readonly code: number
  readonly details: string
  readonly messages: string[]
  readonly trailers: Metadata
}

const asIs = (bytes: Buffer): Buffer => bytes

export class GrpcClient {
  readonly #client: Client

  /**
   * `authority`: the host of the requests. With `ca` (PEM), TLS is used and the server must prove this host; else cleartext.
   */
  constructor(port: number, authority = 'grpc.test', ca?: string) {
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca))
    this.#client = new Client(`127.0.0.1:${port}`, channel, {
      ...(ca !== undefined && { 'grpc.ssl_target_name_override': authority }),
      'grpc.default_authority': authority,
      // A separate subchannel, so that no connection of another test is used.
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

/** Reads a stream of responses to its end. */
export function resultOfStream(call: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>) {
  return new Promise<GrpcResult>(resolve => {
    const messages: string[] = []
    call.on('data', (message: Buffer) => messages.push(textOf(message)))
    call.on('status', (status: StatusObject) => resolve(resultOf(status, messages)))
    // The status reports this error too.
    call.on('error', () => undefined)
  })
}

function resultOf({ code, details, metadata }: StatusObject, messages: string[]): GrpcResult {
  return { code, details, messages, trailers: metadata }
}

function textOf(message: Buffer): string {
  return message.length > 100 ? `${message.length} bytes` : message.toString()
}
