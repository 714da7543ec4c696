// A gRPC server that echoes messages, as a backend for tests. It has all four kinds of calls, errors with trailers, calls
// without a response, and the health service. Messages are plain bytes, so that no schema is needed. The text of a message
// selects the behaviour:
//
//   fail 5 no such thing     status 5 with that text (unary, server streaming)
//   hang                     no response; the client ends the call
//   count 3                  server streaming: the messages 0, 1, 2
//   any other text           the same text

import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'

type UnaryHandler = handleUnaryCall<Buffer, Buffer>
/** The common part of the four kinds of calls. */
interface AnyCall {
  readonly metadata: Metadata
  getDeadline(): Date | number
  on(event: 'cancelled', listener: () => void): unknown
}

/** One call, as the server received it. */
export interface GrpcCall {
  readonly path: string
  readonly metadata: Metadata
  readonly deadline: Date | number
  readonly received: string[]
  cancelled: boolean
}

export const ECHO = {
  unary: '/echo.Echo/Unary',
  serverStreaming: '/echo.Echo/ServerStreaming',
  clientStreaming: '/echo.Echo/ClientStreaming',
  bidirectional: '/echo.Echo/Bidirectional',
} as const
const HEALTH = '/grpc.health.v1.Health/Check'
/** Trailing metadata of every echo. */
export const ECHO_TRAILERS = { 'x-echo': 'done', 'x-echo-bin': Buffer.from([0, 1, 254, 255]) } as const

const asIs = (bytes: Buffer): Buffer => bytes

function method(path: string, requestStream: boolean, responseStream: boolean) {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

const ECHO_SERVICE: ServiceDefinition = {
  unary: method(ECHO.unary, false, false),
  serverStreaming: method(ECHO.serverStreaming, false, true),
  clientStreaming: method(ECHO.clientStreaming, true, false),
  bidirectional: method(ECHO.bidirectional, true, true),
}

export class GrpcBackend {
  readonly calls: GrpcCall[] = []
  /** The health status of each service: 1 SERVING, 2 NOT_SERVING; absent: NOT_FOUND. The name `''` means the server. */
  readonly health = new Map<string, number>([['', 1]])
  readonly #server = new Server()
  #port = 0
  #waiting: (() => void)[] = []

  constructor() {
    this.#server.addService(ECHO_SERVICE, {
      unary: this.#unary,
      serverStreaming: this.#serverStreaming,
      clientStreaming: this.#clientStreaming,
      bidirectional: this.#bidirectional,
    })
    this.#server.addService({ check: method(HEALTH, false, false) }, { check: this.#check })
  }

  /** Resolves with the port. `address`: `127.0.0.1:0`, or `unix:/path.sock`. */
  async start(address = '127.0.0.1:0'): Promise<number> {
    this.#port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
    return this.#port
  }

  get port(): number {
    return this.#port
  }

  /** Resolves when `condition` is true. It is checked after each change of a call. */
  async until(condition: (backend: this) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  stop(): void {
    this.#server.forceShutdown()
  }

  readonly #unary: UnaryHandler = (call, callback) => {
    const seen = this.#note(ECHO.unary, call)
    const text = this.#receive(seen, call.request)
    if (text === 'hang') return
    const failure = failureOf(text)
    if (failure === undefined) callback(null, call.request, trailers())
    else callback(failure)
  }

  readonly #serverStreaming: handleServerStreamingCall<Buffer, Buffer> = call => {
    const seen = this.#note(ECHO.serverStreaming, call)
    const text = this.#receive(seen, call.request)
    const count = Number(/^count (\d+)$/.exec(text)?.[1] ?? 1)
    for (let index = 0; index < count; index += 1) {
      call.write(text.startsWith('count') ? Buffer.from(String(index)) : call.request)
    }
    const failure = failureOf(text)
    if (failure !== undefined) call.emit('error', failure)
    else if (text !== 'hang') call.end(trailers())
  }

  readonly #clientStreaming: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
    const seen = this.#note(ECHO.clientStreaming, call)
    call.on('data', (message: Buffer) => this.#receive(seen, message))
    call.on('end', () => callback(null, Buffer.from(seen.received.join(',')), trailers()))
  }

  readonly #bidirectional: handleBidiStreamingCall<Buffer, Buffer> = call => {
    const seen = this.#note(ECHO.bidirectional, call)
    call.on('data', (message: Buffer) => {
      this.#receive(seen, message)
      if (!call.write(message)) {
        call.pause()
        call.once('drain', () => call.resume())
      }
    })
    call.on('end', () => call.end(trailers()))
  }

  /** HealthCheckRequest has a string in field 1, HealthCheckResponse an enum in field 1. */
  readonly #check: UnaryHandler = (call, callback) => {
    const status = this.health.get(call.request.subarray(2).toString())
    if (status === undefined) callback(failureOf('fail 5 unknown service') ?? null)
    else callback(null, Buffer.from([0x08, status]))
  }

  #note(path: string, call: AnyCall): GrpcCall {
    const { metadata } = call
    const seen: GrpcCall = { path, metadata, deadline: call.getDeadline(), received: [], cancelled: false }
    this.calls.push(seen)
    call.on('cancelled', () => {
      seen.cancelled = true
      this.#wake()
    })
    this.#wake()
    return seen
  }

  #receive(call: GrpcCall, message: Buffer): string {
    const text = message.length > 100 ? `${message.length} bytes` : message.toString()
    call.received.push(text)
    this.#wake()
    return text
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function trailers(): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(ECHO_TRAILERS)) metadata.set(name, value)
  return metadata
}

function failureOf(text: string): ServiceError | undefined {
  const [, code, details] = /^fail (\d+) (.*)$/.exec(text) ?? []
  if (code === undefined || details === undefined) return undefined
  return Object.assign(new Error(details), { code: Number(code), details, metadata: trailers() })
}
