// A backend in the process of the test that records exactly the received bytes. Its parser is slow and strict, and shares no
// code with the product, so that their results can differ. It records invalid requests, and bytes that arrive before the
// response to a request, in `faults`: a Telephone must never send them.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { within } from '../../support/deadline.ts'
import { BARRIER } from './rows/edge-row.ts'

const PATIENCE_MS = 15_000

export class BackendRequest {
  readonly connection: BackendConnection
  /** The head as received, with the empty line. */
  readonly head: string
  readonly method: string
  readonly target: string
  readonly fields: [name: string, value: string][]
  body = ''
  trailers: [name: string, value: string][] = []
  readonly #ended = Promise.withResolvers<'complete' | 'aborted'>()
  #state: 'open' | 'complete' | 'aborted' = 'open'

  constructor(connection: BackendConnection, head: string) {
    this.connection = connection
    this.head = head
    const [line = '', ...fields] = head.slice(0, -4).split('\r\n')
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~\x80-\xff]+) HTTP\/1\.1$/.exec(line)
    if (match === null) throw new Fault(`request line ${JSON.stringify(line)}`)
    this.method = match[1]!
    this.target = match[2]!
    this.fields = fields.map(fieldOf)
  }

  /** Returns all values of a field. */
  all(name: string): string[] {
    return this.fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
  }

  get state(): 'open' | 'complete' | 'aborted' {
    return this.#state
  }

  /** Resolves when the request is complete, without a time limit. */
  get over(): Promise<'complete' | 'aborted'> {
    return this.#ended.promise
  }

  get ended(): Promise<'complete' | 'aborted'> {
    return within(this.#ended.promise, PATIENCE_MS, `the end of ${this.method} ${this.target}`)
  }

  end(how: 'complete' | 'aborted'): void {
    if (this.#state !== 'open') return
    this.#state = how
    this.#ended.resolve(how)
  }

  /** Sends a whole response with Content-Length. */
  respond(status: number, body = '', fields = ''): void {
    this.say(`HTTP/1.1 ${status} Said\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`)
  }

  /** Sends exact bytes. */
  say(bytes: string): void {
    this.connection.responded = true
    this.connection.socket.write(bytes, 'latin1')
  }
}

export class BackendConnection {
  readonly socket: Socket
  /** All received bytes, for messages. */
  received = ''
  /** The bytes received after `becomeRaw`. */
  raw = ''
  responded = true
  ended = false
  closed = false
  /** True when the Telephone has reset the connection. */
  failed = false
  isRaw = false
  readonly #backend: RecordingBackend
  #unread = ''
  #request: BackendRequest | undefined
  #wake: (() => void)[] = []

  constructor(backend: RecordingBackend, socket: Socket) {
    this.#backend = backend
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk.toString('latin1')))
    socket.on('end', () => {
      this.ended = true
      this.#over()
      if (!this.isRaw) socket.end()
    })
    socket.on('error', () => {
      this.failed = true
    })
    socket.on('close', () => {
      this.closed = true
      this.#over()
    })
  }

  /** Stops parsing after a 101, because further bytes are not HTTP. */
  becomeRaw(): void {
    this.isRaw = true
    this.raw += this.#unread
    this.#unread = ''
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) {
      const change = new Promise<void>(resolve => this.#wake.push(resolve))
      await within(change, PATIENCE_MS, `the backend sees ${what}`, () => this.received.slice(-2000))
    }
  }

  #arrived(text: string): void {
    this.received += text
    // The bytes for messages, and for tests of a few requests.
    if (this.received.length > 200_000) this.received = this.received.slice(-50_000)
    this.#backend.receivedBytes += text.length
    if (this.isRaw) {
      this.raw += text
    } else {
      this.#unread += text
      try {
        while (this.#unread !== '' && this.#read());
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        this.#backend.faults.push(error.message)
        this.socket.destroy()
      }
    }
    this.#notify()
  }

  /** Parses one step. Returns false when more bytes are needed. */
  #read(): boolean {
    if (this.isRaw) return false
    if (this.#request === undefined) {
      if (!this.responded) throw new Fault(`bytes behind a request: ${JSON.stringify(this.#unread)}`)
      const end = this.#unread.indexOf('\r\n\r\n')
      if (end === -1) return false
      const request = new BackendRequest(this, this.#unread.slice(0, end + 4))
      this.#unread = this.#unread.slice(end + 4)
      this.#request = request
      this.responded = false
      this.#backend.began(request)
      if (lengthOf(request) === 0) this.#complete()
      return true
    }
    const length = lengthOf(this.#request)
    return length === 'chunked' ? this.#readChunk(this.#request) : this.#readLength(this.#request, length)
  }

  #readLength(request: BackendRequest, length: number): boolean {
    const taken = this.#unread.slice(0, length - request.body.length)
    request.body += taken
    this.#unread = this.#unread.slice(taken.length)
    if (request.body.length < length) return false
    this.#complete()
    return true
  }

  #readChunk(request: BackendRequest): boolean {
    const match = /^([0-9a-f]+)\r\n/.exec(this.#unread)
    if (match === null) {
      if (/^[0-9a-f]*\r?$/.test(this.#unread)) return false
      throw new Fault(`chunk ${JSON.stringify(this.#unread.slice(0, 80))}`)
    }
    const size = Number.parseInt(match[1]!, 16)
    const start = match[0].length
    if (size === 0) {
      const end = this.#unread.indexOf('\r\n\r\n', start - 2)
      if (end === -1) return false
      const lines = this.#unread.slice(start, Math.max(start, end)).split('\r\n')
      request.trailers = lines.filter(line => line !== '').map(fieldOf)
      this.#unread = this.#unread.slice(end + 4)
      this.#complete()
      return true
    }
    if (this.#unread.length < start + size + 2) return false
    if (this.#unread.slice(start + size, start + size + 2) !== '\r\n') throw new Fault('chunk without an end')
    request.body += this.#unread.slice(start, start + size)
    this.#unread = this.#unread.slice(start + size + 2)
    return true
  }

  #complete(): void {
    this.#request?.end('complete')
    this.#request = undefined
  }

  #over(): void {
    this.#request?.end('aborted')
    this.#request = undefined
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

export class RecordingBackend {
  /** Requests whose head has arrived, in order. */
  readonly requests: BackendRequest[] = []
  readonly connections: BackendConnection[] = []
  readonly faults: string[] = []
  receivedBytes = 0
  /** Called for each request head. */
  handler: (request: BackendRequest) => void = echo
  readonly #server: Server
  #wake: (() => void)[] = []

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      this.connections.push(new BackendConnection(this, socket))
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Drops all records, and restores the default behaviour. */
  reset(): void {
    this.requests.length = 0
    this.faults.length = 0
    this.receivedBytes = 0
    this.handler = echo
    this.connections.splice(0, this.connections.length, ...this.connections.filter(each => !each.closed))
  }

  began(request: BackendRequest): void {
    this.requests.push(request)
    // A barrier gets its response with any behaviour that the test has set.
    if (request.target === BARRIER) echo(request)
    else this.handler(request)
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Resolves with the request of this number, counted from 0, when its head has arrived. */
  async request(number = 0): Promise<BackendRequest> {
    while (this.requests[number] === undefined) {
      const change = new Promise<void>(resolve => this.#wake.push(resolve))
      await within(change, PATIENCE_MS, `request ${number} reaches the backend`)
    }
    return this.requests[number]
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** The default behaviour: responds to a complete request with its method, target and body. */
export function echo(request: BackendRequest): void {
  void request.over.then(how => {
    if (how === 'complete') request.respond(200, `${request.method} ${request.target} ${request.body}`)
  })
}

class Fault extends Error {}

function fieldOf(line: string): [string, string] {
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/.exec(line)
  if (match === null) throw new Fault(`field line ${JSON.stringify(line)}`)
  return [match[1]!, match[2]!]
}

function lengthOf(request: BackendRequest): number | 'chunked' {
  const lengths = request.all('content-length')
  const codings = request.all('transfer-encoding')
  if (request.all('host').length !== 1) throw new Fault(`Host ${request.all('host').join(' and ')}`)
  if (lengths.length + codings.length > 1) throw new Fault(`framed twice: ${request.head}`)
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new Fault(`Transfer-Encoding ${codings[0]}`)
    return 'chunked'
  }
  const length = lengths[0] ?? '0'
  if (!/^[0-9]{1,15}$/.test(length)) throw new Fault(`Content-Length ${length}`)
  return Number(length)
}
