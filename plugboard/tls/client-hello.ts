// Determines from the first bytes of a TLS connection whether the client offers one application protocol only. Node's TLS
// reports this too late for a lookup. Parses one complete ClientHello (RFC 8446 section 4.1.2, RFC 7301). Bytes that cannot be
// parsed count as another protocol.

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const ALPN_EXTENSION = 16

/** True when the client offers `protocol`, and no other application protocol. */
export function offersOnly(bytes: Buffer, protocol: string): boolean {
  const protocols = offeredProtocols(bytes)
  return protocols?.length === 1 && protocols[0] === protocol
}

/** Returns the offered protocols; undefined when the ClientHello is incomplete or has no ALPN extension. */
function offeredProtocols(bytes: Buffer): string[] | undefined {
  const reader = new Reader(bytes)
  if (reader.number(1) !== HANDSHAKE_RECORD) return undefined
  reader.skip(2)
  const record = reader.vector(2)
  if (record?.number(1) !== CLIENT_HELLO) return undefined
  const hello = record.vector(3)
  if (hello === undefined) return undefined
  hello.skip(2 + 32)
  // Session id, cipher suites, compression methods.
  if (!hello.vector(1) || !hello.vector(2) || !hello.vector(1)) return undefined
  const extensions = hello.vector(2)
  while (extensions !== undefined && !extensions.done) {
    const type = extensions.number(2)
    const body = extensions.vector(2)
    if (body === undefined) return undefined
    if (type !== ALPN_EXTENSION) continue
    const list = body.vector(2)
    const protocols: string[] = []
    while (list !== undefined && !list.done) {
      const name = list.vector(1)
      if (name === undefined) return undefined
      protocols.push(name.text())
    }
    return protocols
  }
  return undefined
}

/** Reads bytes one after another. A number behind their end is -1. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  number(size: number): number {
    const start = this.#at
    this.#at += size
    return this.#at > this.#bytes.length ? -1 : this.#bytes.readUIntBE(start, size)
  }

  skip(count: number): void {
    this.#at += count
  }

  /** Returns a reader of the bytes behind a length prefix of `size` bytes; undefined when some of them are missing. */
  vector(size: number): Reader | undefined {
    const length = this.number(size)
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) return undefined
    const part = new Reader(this.#bytes.subarray(this.#at, end))
    this.#at = end
    return part
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at)
  }
}
