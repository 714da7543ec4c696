// One connection of the fuzzer: sends exact bytes, reads responses one by one, and records its end.

import { connect, type Socket } from 'node:net'

export interface FuzzResponse {
  readonly status: number
  /** The number of the request at the backend. Undefined: a response of Plugboard itself. */
  readonly request: number | undefined
  /** True when the response announces the end of the connection. */
  readonly close: boolean
  readonly body: string
}

export class FuzzClient {
  readonly #socket: Socket
  #buffer = ''
  #wake: (() => void) | undefined
  /** `reset`: bytes in transit may be lost. */
  ended: 'no' | 'fin' | 'reset' = 'no'

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => {
      this.#buffer += chunk.toString('latin1')
      this.#wake?.()
    })
    this.#socket.on('end', () => this.#over('fin'))
    this.#socket.on('error', () => this.#over('reset'))
    this.#socket.on('close', () => this.#over('reset'))
  }

  /** `places`: the positions at which the bytes are split into writes, with a turn of the event loop between them. */
  async send(bytes: string, places: readonly number[] = []): Promise<void> {
    let start = 0
    for (const end of [...places, bytes.length]) {
      if (start > 0) await new Promise<void>(resolve => setImmediate(resolve))
      if (this.#socket.writable) this.#socket.write(bytes.slice(start, end), 'latin1')
      start = end
    }
  }

  /** Sends a FIN. */
  end(): void {
    if (this.#socket.writable) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * Resolves with the next final response. `method` is undefined when Node could not parse the request: then the response may
   * have only a head. Resolves with undefined at the end of the connection. Rejects after `timeoutMs`, and for bytes that are
   * not a response.
   */
  async respond(method: string | undefined, timeoutMs: number): Promise<FuzzResponse | undefined> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const response = this.#parse(method)
      if (response !== undefined) {
        if (response.status >= 200) return response
        continue
      }
      if (this.ended !== 'no') {
        if (this.ended === 'fin' && this.#buffer !== '') throw new Error(`cut in a response: ${this.#buffer}`)
        return undefined
      }
      await this.#change(deadline)
    }
  }

  async #change(deadline: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve
      const leftMs = Math.max(0, deadline - performance.now())
      timer = setTimeout(() => reject(new Error(`hang; so far ${JSON.stringify(this.#buffer)}`)), leftMs)
    }).finally(() => clearTimeout(timer))
  }

  #parse(method: string | undefined): FuzzResponse | undefined {
    const end = this.#buffer.indexOf('\r\n\r\n')
    if (end === -1) return undefined
    const head = this.#buffer.slice(0, end + 2)
    const status = Number(/^HTTP\/1\.1 (\d{3}) [ -~]*\r\n/.exec(head)?.[1] ?? 0)
    if (status === 0) throw new Error(`not a response: ${JSON.stringify(this.#buffer.slice(0, 300))}`)
    const alone = method === undefined && this.ended === 'fin' && end + 4 === this.#buffer.length
    const bodiless = method === 'HEAD' || alone || status < 200 || status === 204
    const length = bodiless ? 0 : Number(/\r\nContent-Length: (\d+)\r\n/.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) throw new Error(`no length: ${head}`)
    if (this.#buffer.length < end + 4 + length) return undefined
    const body = this.#buffer.slice(end + 4, end + 4 + length)
    this.#buffer = this.#buffer.slice(end + 4 + length)
    const request = /\r\nX-Backend-Request: (\d+)\r\n/.exec(head)?.[1]
    const close = /\r\nConnection: close(?:, Upgrade)?\r\n/i.test(head)
    return { status, request: request === undefined ? undefined : Number(request), close, body }
  }

  #over(how: 'fin' | 'reset'): void {
    if (this.ended === 'no') this.ended = how
    this.#wake?.()
  }
}
