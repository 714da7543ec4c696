// An HTTP/2 client for tests, on Node's http2. Each request resolves with the whole result.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2'

export interface Http2Response {
  readonly status: number
  /** Names and values alternate. */
  readonly raw: readonly string[]
  readonly body: Buffer
  readonly trailers: readonly string[]
  /** Status codes of the 1xx responses before it. */
  readonly interim: readonly number[]
  /** The error code of RST_STREAM; 0: no RST_STREAM, or NO_ERROR. */
  readonly code: number
  field(name: string): string | undefined
}

export class Http2Client {
  readonly session: ClientHttp2Session

  /** `url`: `http://…` is cleartext with prior knowledge. */
  constructor(url: string, options: SecureClientSessionOptions = {}) {
    // In megabytes. With Node's default of 10, the client aborts its own requests.
    this.session = connect(url, { maxSessionMemory: 1000, ...options })
    // A test that breaks the session fails at the event that it waits for.
    this.session.on('error', () => undefined)
  }

  /** Starts a request. The caller writes and ends its body. */
  open(headers: OutgoingHttpHeaders, end = false): ClientHttp2Stream {
    const stream = this.session.request(headers, { endStream: end })
    stream.on('error', () => undefined)
    return stream
  }

  ask(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Response> {
    const stream = this.open(headers, body === undefined)
    if (body !== undefined) stream.end(body)
    return readHttp2Response(stream)
  }

  close(): void {
    this.session.destroy()
  }
}

/** Resolves when the stream is closed, also after an error. `status` is 0 without a response head. */
export function readHttp2Response(stream: ClientHttp2Stream): Promise<Http2Response> {
  let status = 0
  let raw: readonly string[] = []
  let trailers: readonly string[] = []
  const interim: number[] = []
  const chunks: Buffer[] = []
  stream.on('headers', headers => interim.push(Number(headers[':status'])))
  stream.on('response', (headers: { ':status'?: number }, _flags: number, rawHeaders?: readonly string[]) => {
    status = headers[':status'] ?? 0
    raw = rawHeaders ?? []
  })
  stream.on('trailers', (_headers: unknown, _flags: unknown, rawHeaders?: readonly string[]) => {
    trailers = rawHeaders ?? []
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise(resolve =>
    stream.on('close', () =>
      resolve({
        status,
        raw,
        trailers,
        interim,
        code: stream.rstCode ?? 0,
        body: Buffer.concat(chunks),
        field: name => {
          const index = raw.findIndex((each, at) => at % 2 === 0 && each === name)
          return index === -1 ? undefined : raw[index + 1]
        },
      }),
    ),
  )
}
