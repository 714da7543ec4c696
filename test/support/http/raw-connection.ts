// A TCP client that sends and returns exact bytes, also bytes that an HTTP library would reject or correct. It parses a
// response only to find its end.

import { connect, type Socket } from 'node:net'
import { resetSocket } from '../../../shared/net/reset-socket.ts'
import { within } from '../deadline.ts'

export interface RawHead {
  readonly status: number
  readonly statusText: string
  /** Name and value as received, in order. */
  readonly headers: [name: string, value: string][]
  /** The whole head, with the empty line. */
  readonly head: string
}

export interface RawResponse extends RawHead {
  /** The heads of the 1xx responses before it. */
  readonly interim: readonly RawHead[]
  readonly body: Buffer
  readonly trailers: [name: string, value: string][]
  /** False when the connection ended before the body did. */
  readonly complete: boolean
}

/** How the peer closed the connection: with FIN or with RST. */
export type RawClose = 'fin' | 'reset'

const TIMEOUT_MS = 12_000

export class RawConnection {
  readonly socket: Socket
  readonly closed: Promise<RawClose>
  /** Chunks are joined only when they are read, so that many small chunks do not copy all bytes before them. */
  readonly #chunks: Buffer[] = []
  #bufferedBytes = 0
  #end: RawClose | undefined
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise(resolve => {
      const ended = (how: RawClose) => {
        this.#end ??= how
        resolve(this.#end)
        this.#wake?.()
      }
      socket.on('end', () => ended('fin'))
      socket.on('error', () => ended('reset'))
      socket.on('close', () => ended('reset'))
    })
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#bufferedBytes += chunk.length
      this.#wake?.()
    })
  }

  /** `from`: the local address. Default: the choice of the system. */
  static open(port: number, host = '127.0.0.1', from?: string): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      // Half-open is allowed, because the test decides when to close our half.
      const local = from === undefined ? {} : { localAddress: from }
      const socket = connect({ port, host, allowHalfOpen: true, noDelay: true, ...local })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
    })
  }

  /** Resolves when the system has accepted the bytes. Strings are latin1. `closed` reports a reset; this promise does not. */
  send(bytes: string | Buffer): Promise<void> {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    return new Promise(resolve => this.socket.write(buffer, () => resolve()))
  }

  /** Sends a FIN. */
  end(): void {
    this.socket.end()
  }

  /** Sends an RST. */
  reset(): void {
    resetSocket(this.socket)
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Resolves with the next `count` bytes. */
  async readBytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#bufferedBytes >= count, `${count} bytes`)
    return this.#take(count)
  }

  /** Resolves with all bytes up to the first `marker`, with the marker. */
  async readUntil(marker: string): Promise<string> {
    let at = -1
    await this.#until(() => {
      at = this.#buffered.indexOf(marker, 0, 'latin1')
      return at >= 0
    }, JSON.stringify(marker))
    return this.#take(at + marker.length).toString('latin1')
  }

  /** Resolves with all bytes until the peer closes. */
  async readToEnd(): Promise<Buffer> {
    await within(this.closed, TIMEOUT_MS, 'the far end closes', () => this.#buffered.toString('latin1'))
    return this.#take(this.#bufferedBytes)
  }

  /** Resolves with the head of the next response. A 1xx response counts as a response. */
  async readHead(): Promise<RawHead> {
    const head = await this.readUntil('\r\n\r\n')
    const [first = '', ...lines] = head.slice(0, -4).split('\r\n')
    const parts = first.match(/^HTTP\/1\.[01] (\d{3}) ?(.*)$/)
    if (!parts) throw new Error(`not a status line: ${JSON.stringify(first)}`)
    return { status: Number(parts[1]), statusText: parts[2] ?? '', headers: lines.map(splitField), head }
  }

  /** Resolves with the next whole response and the interim ones before it. `method` of the request: a response to HEAD has no body. */
  async readResponse(method = 'GET'): Promise<RawResponse> {
    const interim: RawHead[] = []
    let last = await this.readHead()
    for (; last.status < 200 && last.status !== 101; last = await this.readHead()) interim.push(last)
    const head = { ...last, interim }
    const without = method === 'HEAD' || head.status === 101 || head.status === 204 || head.status === 304
    if (without) return { ...head, body: Buffer.alloc(0), trailers: [], complete: true }
    if (/chunked/i.test(field(head.headers, 'transfer-encoding') ?? '')) {
      return { ...head, ...(await this.#readChunked()) }
    }
    const length = field(head.headers, 'content-length')
    if (length === undefined) {
      const body = await this.readToEnd()
      return { ...head, body, trailers: [], complete: this.#end === 'fin' }
    }
    const body = await this.#readUpTo(Number(length))
    return { ...head, body, trailers: [], complete: body.length === Number(length) }
  }

  async #readChunked(): Promise<Pick<RawResponse, 'body' | 'trailers' | 'complete'>> {
    const chunks: Buffer[] = []
    for (;;) {
      let size = 0
      try {
        size = Number.parseInt(await this.readUntil('\r\n'), 16)
        if (size === 0) break
        const chunk = await this.#readUpTo(size)
        chunks.push(chunk)
        if (chunk.length < size) throw new UnexpectedEnd('a chunk')
        await this.readUntil('\r\n')
      } catch (error) {
        if (!(error instanceof UnexpectedEnd)) throw error
        return { body: Buffer.concat(chunks), trailers: [], complete: false }
      }
    }
    const trailers: [string, string][] = []
    for (let line = await this.readUntil('\r\n'); line !== '\r\n'; line = await this.readUntil('\r\n')) {
      trailers.push(splitField(line.slice(0, -2)))
    }
    return { body: Buffer.concat(chunks), trailers, complete: true }
  }

  async #readUpTo(count: number): Promise<Buffer> {
    try {
      return await this.readBytes(count)
    } catch (error) {
      if (error instanceof UnexpectedEnd) return this.#take(this.#bufferedBytes)
      throw error
    }
  }

  #take(count: number): Buffer {
    const buffered = this.#buffered
    this.#chunks.splice(0, this.#chunks.length, buffered.subarray(count))
    this.#bufferedBytes -= Math.min(count, buffered.length)
    return buffered.subarray(0, count)
  }

  get #buffered(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks.splice(0, this.#chunks.length, Buffer.concat(this.#chunks))
    return this.#chunks[0] as Buffer
  }

  async #until(ready: () => boolean, what: string): Promise<void> {
    while (!ready()) {
      if (this.#end)
        throw new UnexpectedEnd(`${what}; got ${JSON.stringify(this.#buffered.toString('latin1'))}`)
      const change = new Promise<void>(resolve => {
        this.#wake = resolve
      })
      await within(change, TIMEOUT_MS, `the far end sends ${what}`, () => this.#buffered.toString('latin1'))
    }
  }
}

/** Thrown when the connection ends before the expected bytes. */
export class UnexpectedEnd extends Error {
  constructor(what: string) {
    super(`the connection ended before ${what}`)
    this.name = 'UnexpectedEnd'
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}

/** Returns the first value of a field. The case of the name does not matter. */
export function field(headers: readonly [string, string][], name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}

/** Opens a connection, sends `bytes`, reads one response, and closes. */
export async function rawExchange(
  port: number,
  bytes: string | Buffer,
  method?: string,
): Promise<RawResponse> {
  const connection = await RawConnection.open(port)
  try {
    await connection.send(bytes)
    return await connection.readResponse(method)
  } finally {
    connection.destroy()
  }
}

/** Resolves with true when a server accepts connections at this port. */
export async function canConnect(port: number): Promise<boolean> {
  try {
    const connection = await RawConnection.open(port)
    connection.destroy()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false
    throw error
  }
}
