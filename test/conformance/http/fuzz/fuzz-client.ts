// One connection of the fuzzer: sends bytes as they are, reads answers one by one, and knows how it ended.

import { connect, type Socket } from 'node:net'

export interface FuzzResponse {
  readonly status: number
  /** The backend's own number of the request that it answers; undefined: Plugboard answers. */
  readonly request: number | undefined
  /** The connection ends after it, by its own word. */
  readonly close: boolean
  readonly body: string
}

export class FuzzClient {
  readonly #socket: Socket
  #buffer = ''
  #wake: (() => void) | undefined
  /** `reset`: what was on its way may be lost. */
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

  /** `places`: where the bytes are cut into writes, with a turn of the event loop between them. */
  async send(bytes: string, places: readonly number[] = []): Promise<void> {
    let start = 0
    for (const end of [...places, bytes.length]) {
      if (start > 0) await new Promise<void>(resolve => setImmediate(resolve))
      if (this.#socket.writable) this.#socket.write(bytes.slice(start, end), 'latin1')
      start = end
    }
  }

  /** Our FIN. */
  end(): void {
    if (this.#socket.writable) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /**
   * The next final answer. `method` undefined: one that Node could not read, so the answer may be a head alone.
   * Undefined: the connection is over. Throws after `timeoutMs`, and at bytes that are no answer.
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
        if (this.ended === 'fin' && this.#buffer !== '') throw new Error(`cut in an answer: ${this.#buffer}`)
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
    if (status === 0) throw new Error(`no answer: ${JSON.stringify(this.#buffer.slice(0, 300))}`)
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
