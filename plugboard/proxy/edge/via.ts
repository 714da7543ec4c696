// The values of Via (RFC 9110, section 7.6.3): one line on each request that Plugboard forwards, one on each response that
// it relays. The name in them stands for the whole cluster, so that a request that comes back is recognised as a
// forwarding loop. All values are built once, at the start; plugboard/replica/cluster/via-names.ts makes the names.

export class Via {
  /** For requests that a client sent in HTTP/1.0, HTTP/1.1 and HTTP/2. */
  readonly http10: string
  readonly http11: string
  readonly http2: string
  /** For responses. A tunnel carries every response of a backend in the form of HTTP/1.1. */
  readonly response: string
  readonly #names: readonly string[]

  /** `names`: the first one is sent, all of them are recognised. */
  constructor(names: readonly [string, ...string[]]) {
    const [name] = names
    this.http10 = `1.0 ${name}`
    this.http11 = `1.1 ${name}`
    this.http2 = `2.0 ${name}`
    this.response = this.http11
    this.#names = names
  }

  /** The public names of this cluster; the first one is sent. */
  get names(): readonly string[] {
    return this.#names
  }

  /** True when a value of Via names this cluster: the request has passed here before. */
  holds(value: string): boolean {
    return this.#names.some(name => value.includes(name))
  }
}
