// How clients and telephones reach this replica from outside: by the setting `publicUrl`, or else by the port that is open.

import type { AddressInfo } from 'node:net'

/** Used before the port is open. */
const DEFAULT_PORT = 4000

export class PublicAddress {
  readonly #publicUrl: string | undefined
  #opened: readonly AddressInfo[] = []

  constructor(publicUrl: string | undefined) {
    this.#publicUrl = publicUrl
  }

  /** The open addresses of the public port, without HTTPS; empty before it is open. */
  get opened(): readonly AddressInfo[] {
    return this.#opened
  }

  open(addresses: readonly AddressInfo[]): void {
    this.#opened = addresses
  }

  /** Without a slash at its end. */
  get url(): string {
    const port = this.#opened[0]?.port ?? DEFAULT_PORT
    return (this.#publicUrl ?? `http://localhost:${port}`).replace(/\/$/, '')
  }

  /** Returns the URL of a mount as clients write it. The host `*` becomes the host of this replica. */
  urlOf(host: string, mountPath: string): string {
    const outside = new URL(this.url)
    if (host !== '*') outside.hostname = host
    return `${outside.protocol}//${outside.host}${mountPath === '/' ? '/' : mountPath}`
  }
}
