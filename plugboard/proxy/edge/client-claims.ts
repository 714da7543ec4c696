// The facts that a trusted proxy reports about its client. Two families of fields report them: X-Forwarded-* and Forwarded
// (RFC 7239). One of them is the source, so that the backend reads the same facts in both: X-Forwarded-* when the proxy
// sends X-Forwarded-For, -Host, -Proto or -Port, else Forwarded. A malformed value is ignored; then Plugboard uses its own
// observation. Only request-fields.ts uses this, and only for trusted proxies.

import { isHostWithPort } from '@vera-stack/shared/mounts.ts'
import { type ForwardedElement, readForwarded } from './forwarded-elements.ts'

export class ClientClaims {
  /** Values of X-Forwarded-For, -Host, -Proto and -Port, by their names in lower case. */
  readonly #family = new Map<string, string>()
  #prefix: string | undefined
  #forwarded: string | undefined
  #elements: readonly ForwardedElement[] | undefined

  clear(): void {
    this.#family.clear()
    this.#prefix = undefined
    this.#forwarded = undefined
    this.#elements = undefined
  }

  /** Adds a field, its name in lower case. Joins several lines of one field to one list. Ignores other fields. */
  add(name: string, value: string): void {
    switch (name) {
      case 'x-forwarded-for':
      case 'x-forwarded-host':
      case 'x-forwarded-proto':
      case 'x-forwarded-port':
        this.#family.set(name, joined(this.#family.get(name), value))
        break
      case 'x-forwarded-prefix':
        this.#prefix = joined(this.#prefix, value)
        break
      case 'forwarded':
        this.#forwarded = joined(this.#forwarded, value)
        break
      default:
    }
  }

  /** Drops a field, its name in lower case. For fields that Connection names, because they end at this hop. */
  remove(name: string): void {
    this.#family.delete(name)
    if (name === 'x-forwarded-prefix') this.#prefix = undefined
    if (name === 'forwarded') this.#forwarded = undefined
  }

  /** True when the proxy sent at least one of the fields. */
  get present(): boolean {
    return this.#family.size > 0 || this.#forwarded !== undefined
  }

  /** Addresses as the proxy has written them, the client's first. Undefined when the proxy names no address. */
  get forwardedFor(): string | undefined {
    const source = this.#source
    if (source === undefined) return this.#family.get('x-forwarded-for')
    const nodes = source.flatMap(element => element.for ?? [])
    return nodes.length === 0 ? undefined : nodes.join(', ')
  }

  /** Undefined when there is no value, or another protocol. Some proxies report a WebSocket as `ws` or `wss`. */
  get proto(): 'http' | 'https' | undefined {
    const proto = this.#source?.[0]?.proto ?? first(this.#family.get('x-forwarded-proto'))
    switch (proto?.toLowerCase()) {
      case 'http':
      case 'ws':
        return 'http'
      case 'https':
      case 'wss':
        return 'https'
      default:
        return undefined
    }
  }

  /** The host, with its port if it names one. */
  get host(): string | undefined {
    const host = this.#source?.[0]?.host ?? first(this.#family.get('x-forwarded-host'))
    return host !== undefined && isHostWithPort(host) ? host : undefined
  }

  get port(): string | undefined {
    const port = first(this.#family.get('x-forwarded-port'))
    return port !== undefined && /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535 ? port : undefined
  }

  /** The part of the path that earlier proxies have removed, without a slash at its end; empty when they removed no part. */
  get prefix(): string {
    const prefix = first(this.#prefix) ?? ''
    const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
    return /^(?:\/[A-Za-z0-9._~!$&'()*+;=:@%-]+)+$/.test(bare) ? bare : ''
  }

  /** The elements of Forwarded, when that family is the source. */
  get #source(): readonly ForwardedElement[] | undefined {
    if (this.#forwarded === undefined || this.#family.size > 0) return undefined
    this.#elements ??= readForwarded(this.#forwarded)
    return this.#elements
  }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`
}

/** The first member of a list, which is the client's: each proxy appends its own at the end. */
function first(list: string | undefined): string | undefined {
  if (list === undefined) return undefined
  const comma = list.indexOf(',')
  return (comma === -1 ? list : list.slice(0, comma)).trim()
}
