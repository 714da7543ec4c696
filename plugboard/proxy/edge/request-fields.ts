// One pass over a request's raw header list (rows F2-F4, F7, H1-H7, H10-H12). It removes hop-by-hop fields, notes the values
// that Plugboard uses, drops fields that an untrusted client may not send, and adds the fields of Plugboard. One reader serves
// all requests, one after the other: `read` overwrites the results of the previous request. Hot: no closures, no lower-casing.

import { authenticatesConnection } from '@vera-stack/shared/http/connection-auth.ts'
import {
  equalsIgnoringCase,
  FIELD,
  fieldOf,
  listHolds,
  nominatedFields,
  parseContentLength,
  plainName,
  removeFields,
} from '@vera-stack/shared/http/headers.ts'
import { setTraceFields, traceStateOf } from '@vera-stack/shared/trace/trace-fields.ts'
import { TRACE_PARENT, TRACE_STATE } from '@vera-stack/shared/trace/trace-parent.ts'
import { looksLikeRequestId } from '../../common/http/request-id.ts'
import { withoutSessionCookies } from '../../common/http/session-cookie.ts'
import type { ClientFacts } from '../connections/client-connection.ts'
import type { TraceFields } from '../trace/request-tracing.ts'
import { ClientClaims } from './client-claims.ts'
import { KIND, kindOf } from './field-kind.ts'
import { writeForwarded } from './forwarded-elements.ts'
import { portOf } from './target.ts'
import { isForwardable } from './upgrade-request.ts'
import type { Via } from './via.ts'

/** Larger values of Max-Forwards are forwarded as this one (RFC 9110, section 7.6.2). */
const MAX_FORWARDS = 1_000_000

/** Connection must not remove these fields, because framing and routing depend on them. */
const KEPT_WHEN_NOMINATED: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding'])

export class RequestFields implements TraceFields {
  /** The fields to forward, in the received order and case. A new list for each request, which the caller keeps. */
  fields: string[] = []
  /** The value of the only Host field; empty without one. */
  host = ''
  /** -1 without Content-Length. */
  contentLength = -1
  chunked = false
  /** The value of Upgrade; empty without one, or when Connection does not name it. */
  upgrade = ''
  /** The request id that the client sent; empty when it sent no valid one. */
  requestId = ''
  accept = ''
  /** Empty without the field, and when it occurs more than once. */
  traceParent = ''
  /** Empty when it is not read (`readsUserAgent`). */
  userAgent = ''
  /** True when the client sends `Expect: 100-continue` and has a body to send after it. */
  expectsContinue = false
  /** True when the client expects something else (row R4). Node takes `x, 100-continue` for `100-continue`. */
  expectsMore = false
  /** True when Via names this cluster: the request has passed here before. */
  looped = false
  /** The received Max-Forwards of a TRACE or OPTIONS request; -1 without one, or when the method does not use it. */
  maxForwards = -1
  /** True when a credential is meant for the whole connection to the backend (row A13). */
  authenticatesConnection = false
  #hostIndex = -1
  readonly #via: Via
  readonly #dropsUnderscores: boolean
  readonly #readsUserAgent: boolean
  readonly #claims = new ClientClaims()

  constructor(via: Via, underscoreHeaders: 'pass' | 'drop', readsUserAgent: boolean) {
    this.#via = via
    this.#dropsUnderscores = underscoreHeaders === 'drop'
    this.#readsUserAgent = readsUserAgent
  }

  /** The facts that a trusted proxy reports about the client. For other peers they are stale values of an earlier request. */
  get claims(): Pick<ClientClaims, 'forwardedFor' | 'proto' | 'present'> {
    return this.#claims
  }

  /** Returns false when the fields are malformed and the connection must close (rows F2, F3, F4, F7, H12, U1). */
  read(raw: readonly string[], connection: ClientFacts, http10: boolean, method: string): boolean {
    const fields: string[] = []
    this.fields = fields
    this.host = ''
    this.contentLength = -1
    this.chunked = false
    this.upgrade = ''
    this.requestId = ''
    this.accept = ''
    this.traceParent = ''
    this.userAgent = ''
    this.expectsContinue = false
    this.expectsMore = false
    this.looped = false
    this.maxForwards = -1
    this.authenticatesConnection = false
    this.#hostIndex = -1
    const claims = this.#claims
    if (connection.trusted) claims.clear()
    let named = ''
    let te: string | undefined
    let requestIds = 0
    let traceParents = 0
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index] as string
      const value = raw[index + 1] as string
      switch (fieldOf(name)) {
        case FIELD.other:
          if (this.#dropsUnderscores && name.includes('_')) break
          switch (kindOf(name)) {
            case KIND.dropped:
              break
            case KIND.client:
              if (connection.trusted) claims.add(name.toLowerCase(), value)
              break
            case KIND.accept:
              this.accept ||= value
              fields.push(name, value)
              break
            case KIND.cookie: {
              const cookies = withoutSessionCookies(value)
              if (cookies !== '' || value === '') fields.push(name, cookies)
              break
            }
            case KIND.traceParent:
              traceParents += 1
              this.traceParent = traceParents === 1 ? value : ''
              fields.push(name, value)
              break
            default:
              if (this.#readsUserAgent && name.length === 10 && equalsIgnoringCase(name, 'user-agent'))
                this.userAgent ||= value
              if (authenticatesConnection(name, value)) this.authenticatesConnection = true
              fields.push(name, value)
          }
          break
        case FIELD.host:
          if (this.#hostIndex !== -1) return false
          this.host = value
          this.#hostIndex = fields.length
          fields.push(name, value)
          break
        case FIELD.contentLength: {
          const length = parseContentLength(value)
          if (length === undefined || this.contentLength !== -1) return false
          this.contentLength = length
          // Without leading zeros, which a backend may read as an octal number.
          fields.push(name, String(length))
          break
        }
        case FIELD.transferEncoding:
          if (this.chunked || http10 || !equalsIgnoringCase(value, 'chunked')) return false
          this.chunked = true
          break
        case FIELD.connection:
          named = named === '' ? value : `${named}, ${value}`
          break
        case FIELD.upgrade:
          this.upgrade = this.upgrade === '' ? value : `${this.upgrade}, ${value}`
          break
        case FIELD.te:
          te = te === undefined ? value : ''
          break
        case FIELD.expect:
          if (http10) break
          if (equalsIgnoringCase(value, '100-continue')) this.expectsContinue = true
          else this.expectsMore = true
          break
        case FIELD.requestId:
          requestIds += 1
          this.requestId = requestIds === 1 && looksLikeRequestId(value) ? value : ''
          break
        case FIELD.via:
          this.looped ||= this.#via.holds(value)
          fields.push(name, value)
          break
        case FIELD.maxForwards: {
          if (method !== 'OPTIONS' && method !== 'TRACE') {
            fields.push(name, value)
            break
          }
          if (this.maxForwards !== -1 || !/^[0-9]+$/.test(value)) return false
          this.maxForwards = Math.min(Number(value), MAX_FORWARDS)
          if (this.maxForwards > 0) fields.push(name, String(this.maxForwards - 1))
          break
        }
        case FIELD.hopByHop:
          break
        default:
          fields.push(name, value)
      }
    }
    if (this.chunked && this.contentLength !== -1) return false
    // Node's parser does not report broken chunks behind an Upgrade. If the Upgrade is ignored, the request never completes
    // and ends by its timeout. If the Upgrade is forwarded, two readers could disagree about the request, so it is refused.
    if (this.chunked && this.upgrade !== '' && isForwardable(this.upgrade)) return false
    if (this.upgrade !== '' && !listHolds(named, 'upgrade')) this.upgrade = ''
    const nominated = named === '' ? undefined : nominatedFields(named)
    if (nominated !== undefined) this.#drop(nominated)
    this.expectsContinue &&= this.chunked || this.contentLength > 0
    if (this.expectsContinue) fields.push('Expect', '100-continue')
    if (te !== undefined && equalsIgnoringCase(te, 'trailers')) fields.push('TE', 'trailers')
    return true
  }

  /** The lines of tracestate, joined by commas; unchecked. */
  get traceState(): string {
    return traceStateOf(this.fields)
  }

  /** Replaces the trace context of the client. `state`: empty: none is forwarded. */
  setTrace(traceParent: string, state: string): void {
    // Also removes them from the place of Host.
    this.#remove([TRACE_PARENT, TRACE_STATE])
    setTraceFields(this.fields, traceParent, state)
  }

  /** Replaces Host by the authority of the target, which takes precedence (row F8). */
  replaceHost(host: string): void {
    this.host = host
    if (this.#hostIndex === -1) {
      this.fields.unshift('Host', host)
      this.#hostIndex = 0
    } else {
      this.fields[this.#hostIndex + 1] = host
    }
  }

  /** Sets Host by the service's policy. With `backend` it removes Host, and the Telephone adds the host of its backend. */
  applyHostPolicy(policy: 'preserve' | 'backend' | { readonly fixed: string }): void {
    if (policy === 'preserve') return
    if (policy === 'backend') this.fields.splice(this.#hostIndex, 2)
    else this.fields[this.#hostIndex + 1] = policy.fixed
  }

  /** Sets a field that only Plugboard may send. Fields of the client with this name, or an alias of it, are dropped. */
  setOwn(name: string, value: string): void {
    const own = plainName(name)
    const aliases: string[] = []
    for (let index = 0; index < this.fields.length; index += 2) {
      const each = this.fields[index] as string
      if (each.length >= own.length && plainName(each) === own) aliases.push(each.toLowerCase())
    }
    if (aliases.length > 0) this.#remove(aliases)
    if (value !== '') this.fields.push(name, value)
  }

  /**
   * Adds the fields that only Plugboard may send: the facts about the client, and the id of the request. Called last, so that
   * no other step can remove them. `clientAddress`: the peer, or the client that trusted proxies report.
   */
  addOurs(connection: ClientFacts, requestId: string, clientAddress: string, strippedPrefix: string): void {
    let chain = connection.remoteAddress
    let { host } = this
    let proto: string = connection.proto
    let port: string | undefined
    let prefix = strippedPrefix
    let forwarded: string
    if (connection.trusted) {
      const claims = this.#claims
      if (claims.forwardedFor !== undefined) chain = `${claims.forwardedFor}, ${chain}`
      host = claims.host ?? host
      proto = claims.proto ?? proto
      port = claims.port
      prefix = claims.prefix + prefix
      forwarded = writeForwarded(chain, proto, host)
    } else {
      forwarded = connection.forwardedPrefix + (host.includes(':') ? `"${host}"` : host)
    }
    port ??= portOf(host) ?? (proto === 'https' ? '443' : '80')
    this.fields.push(
      'X-Forwarded-For',
      chain,
      'X-Forwarded-Host',
      host,
      'X-Forwarded-Proto',
      proto,
      'X-Forwarded-Port',
      port,
      'X-Real-IP',
      clientAddress,
      'Forwarded',
      forwarded,
    )
    if (prefix !== '') this.fields.push('X-Forwarded-Prefix', prefix)
    this.fields.push('X-Request-ID', requestId)
  }

  #drop(nominated: readonly string[]): void {
    for (const name of nominated) this.#claims.remove(name)
    this.#remove(nominated.filter(name => !KEPT_WHEN_NOMINATED.has(name)))
  }

  /** Removes fields by name. `names`: in lower case, without Host. */
  #remove(names: readonly string[]): void {
    const { fields } = this
    removeFields(fields, names)
    if (this.#hostIndex === -1) return
    // Only even indexes hold names. A value may be `Host` as well.
    let at = 0
    while (at < fields.length && fieldOf(fields[at] as string) !== FIELD.host) at += 2
    this.#hostIndex = at
  }
}
