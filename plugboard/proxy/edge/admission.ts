// The edge: turns a request head that Node has parsed into a routed request or an error code. Everything that two HTTP
// implementations could read differently is decided here, once, before a byte is forwarded (rows F1-F11, H1-H12).

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import {
  INSTANCE_PATH,
  isOnOrBeneath,
  normalizeEscapes,
  RESERVED_PATH,
  restAfterMount,
  TUNNEL_PATH,
} from '@vera-stack/shared/mounts.ts'
import type { StreamKind } from '@vera-stack/shared/protocol/wire/stream-kind.ts'
import type { Gatekeeper } from '../../access/gatekeeper.ts'
import type { UuidV7 } from '../../common/ids/uuid-v7.ts'
import { addressGroup } from '../../common/net/address-group.ts'
import type { Directory } from '../../routes/directory.ts'
import type { ClientFacts } from '../connections/client-connection.ts'
import type { TrustedProxies } from '../connections/trusted-proxies.ts'
import { allowedMethods } from '../response/local-responses.ts'
import { hstsFor } from '../response/route-response.ts'
import type { RequestTrace } from '../trace/request-trace.ts'
import type { RequestTracing } from '../trace/request-tracing.ts'
import { RequestFields } from './request-fields.ts'
import type { RequestHead } from './request-head.ts'
import type {
  AdmittedRequest,
  ClientProtocol,
  RequestFacts,
  RoutedRequest,
  UnroutedRequest,
} from './routed-request.ts'
import { HostCache, isPlainPath, resolveDots, splitAbsoluteForm } from './target.ts'
import { traceText } from './trace.ts'
import type { Via } from './via.ts'

/** Returns the part of the host that the `*` of a host pattern matches; empty for a pattern without `*`. */
function tenantOf(pattern: string, host: string): string {
  if (pattern === '*') return host
  return pattern.startsWith('*.') ? host.slice(0, 1 - pattern.length) : ''
}

export interface AdmissionLimits {
  /** The limit for the length of the request target, in characters. */
  readonly maxTargetBytes: number
  readonly maxHeaders: number
}

export interface AdmissionOptions {
  readonly directory: Pick<Directory, 'match'>
  readonly limits: AdmissionLimits
  readonly ids: UuidV7
  readonly trusted: TrustedProxies
  readonly gatekeeper: Gatekeeper
  /** Strict-Transport-Security for routes without a rule of their own; empty: no field is sent. */
  readonly hsts: string
  readonly via: Via
  readonly underscoreHeaders: 'pass' | 'drop'
  /** True when TRACE is served like any other method. */
  readonly allowTrace: boolean
  /** True when the facts of a request contain User-Agent. */
  readonly readsUserAgent: boolean
  /** Undefined: no request is traced. */
  readonly tracing: RequestTracing | undefined
}

export class Admission {
  readonly #directory: Pick<Directory, 'match'>
  readonly #limits: AdmissionLimits
  readonly #ids: UuidV7
  readonly #trusted: TrustedProxies
  readonly #gatekeeper: Gatekeeper
  readonly #hsts: string
  readonly #hosts = new HostCache()
  readonly #fields: RequestFields
  readonly #via: Via
  readonly #allowTrace: boolean
  readonly #tracing: RequestTracing | undefined
  /** The value of `Allow`. */
  readonly allowedMethods: string
  /** These describe the request that `admit` is reading. */
  #requestId = ''
  #host = ''
  #path = ''
  #clientAddress = ''
  #proto = ''
  #protocol: ClientProtocol = 'http/1.1'
  #traced: RequestTrace | undefined

  constructor(options: AdmissionOptions) {
    this.#directory = options.directory
    this.#limits = options.limits
    this.#ids = options.ids
    this.#trusted = options.trusted
    this.#gatekeeper = options.gatekeeper
    this.#hsts = options.hsts
    this.#via = options.via
    this.#allowTrace = options.allowTrace
    this.#tracing = options.tracing
    this.allowedMethods = allowedMethods(options.allowTrace)
    this.#fields = new RequestFields(options.via, options.underscoreHeaders, options.readsUserAgent)
  }

  /** The public name of this Plugboard. */
  get instance(): string {
    return this.#via.names[0] ?? ''
  }

  /** Returns the client's group for limits per client. `forwardedFor`: all received lines of X-Forwarded-For. */
  clientGroup(connection: ClientFacts, forwardedFor: string | undefined): string {
    if (!connection.trusted) return connection.addressGroup
    return addressGroup(this.#trusted.clientOf(connection.remoteAddress, forwardedFor))
  }

  /** Returns a request with its route, or with the reason why it has no route. */
  admit(req: RequestHead, connection: ClientFacts, kind: StreamKind): AdmittedRequest {
    const fields = this.#fields
    const raw = req.rawHeaders
    const url = req.url ?? ''
    const wellFormed = this.#identify(raw, connection, req.httpVersionMinor === 0, req.method ?? '')
    if (raw.length > this.#limits.maxHeaders * 2) return this.#refused('headers_too_large')
    if (url.length > this.#limits.maxTargetBytes) return this.#refused('uri_too_long')
    if (!wellFormed || req.httpVersionMajor !== 1 || url.includes('#')) return this.#refused('bad_request')
    this.#traced = this.#tracing?.begin(fields, req.method ?? '', connection.trusted)
    if (fields.expectsMore) return this.#refused('expectation_failed')
    let target = url
    if (url === '*' && req.method === 'OPTIONS') {
      return this.#hosts.normalize(fields.host) === undefined
        ? this.#refused('bad_request')
        : this.#unrouted('options', 'method_not_allowed')
    }
    if (url.charCodeAt(0) !== 0x2f) {
      const absolute = splitAbsoluteForm(url)
      if (absolute === undefined) return this.#refused('bad_request')
      // An invalid Host is refused even when the authority of the target replaces it (RFC 9112 section 3.2).
      if (fields.host === '' || this.#hosts.normalize(fields.host) === undefined)
        return this.#refused('bad_request')
      fields.replaceHost(absolute.authority)
      target = absolute.target
    }
    const host = fields.host === '' ? undefined : this.#hosts.normalize(fields.host)
    if (host === undefined) return this.#refused('bad_request')
    const question = target.indexOf('?')
    const rawPath = question === -1 ? target : target.slice(0, question)
    let path = rawPath
    let received = rawPath
    if (!isPlainPath(rawPath)) {
      const resolved = resolveDots(rawPath)
      if (resolved === undefined) return this.#refused('bad_request')
      received = resolved
      path = normalizeEscapes(resolved)
    }
    this.#host = host
    this.#path = path
    if (req.method === 'TRACE') {
      if (!this.#allowTrace) return this.#refused('method_not_allowed')
      if (fields.chunked || fields.contentLength > 0) return this.#refused('bad_request')
    }
    if (path.charCodeAt(1) === 0x5f && isOnOrBeneath(path, RESERVED_PATH)) {
      if (path === TUNNEL_PATH) return this.#unrouted('tunnel', 'upgrade_required')
      const reads = req.method === 'GET' || req.method === 'HEAD'
      return this.#unrouted(path === INSTANCE_PATH && reads ? 'instance' : 'refused', 'route_not_found')
    }
    const route = this.#directory.match(host, path)
    if (route === undefined) return this.#refused('route_not_found')
    return this.#routed(req, connection, kind, route, target, path, received, rawPath)
  }

  /** Returns the id and the client of a request that cannot be admitted. */
  identify(raw: readonly string[], connection: ClientFacts, http10: boolean, method: string): RequestFacts {
    this.#identify(raw, connection, http10, method)
    return this.#facts()
  }

  /** Reads the fields, the id and the client of a request. Returns true when the fields are well-formed. */
  #identify(raw: readonly string[], connection: ClientFacts, http10: boolean, method: string): boolean {
    const fields = this.#fields
    this.#host = ''
    this.#path = ''
    this.#traced = undefined
    this.#clientAddress = connection.remoteAddress
    this.#protocol = connection.http2 ? 'h2' : http10 ? 'http/1.0' : 'http/1.1'
    const wellFormed = fields.read(raw, connection, http10, method)
    this.#proto = connection.proto
    if (connection.trusted) {
      this.#proto = fields.claims.proto ?? connection.proto
      this.#clientAddress = this.#trusted.clientOf(connection.remoteAddress, fields.claims.forwardedFor)
      connection.proxyUse?.note(fields.claims.present)
    }
    this.#requestId = fields.requestId === '' ? this.#ids.next() : fields.requestId
    return wellFormed
  }

  #facts(): RequestFacts {
    const { accept, contentLength, chunked, expectsContinue, upgrade, traceParent, userAgent } = this.#fields
    return {
      requestId: this.#requestId,
      clientAddress: this.#clientAddress,
      proto: this.#proto,
      host: this.#host,
      path: this.#path,
      protocol: this.#protocol,
      traceParent,
      traced: this.#traced,
      userAgent,
      accept,
      contentLength,
      chunked,
      expectsContinue,
      upgrade,
    }
  }

  #unrouted(kind: UnroutedRequest['kind'], code: ErrorCode): UnroutedRequest {
    return { ...this.#facts(), kind, code }
  }

  #refused(code: ErrorCode): UnroutedRequest {
    return this.#unrouted('refused', code)
  }

  #routed(
    req: RequestHead,
    connection: ClientFacts,
    kind: StreamKind,
    route: RoutedRequest['route'],
    target: string,
    path: string,
    receivedPath: string,
    rawPath: string,
  ): RoutedRequest {
    const fields = this.#fields
    const stripped = route.options.stripMount && route.mountPath !== '/'
    const forwarded = stripped ? restAfterMount(receivedPath, route.mountPath) || '/' : receivedPath
    const { tenantHeader, rules } = route.options
    if (tenantHeader !== null) fields.setOwn(tenantHeader, tenantOf(route.host, this.#host))
    fields.addOurs(connection, this.#requestId, this.#clientAddress, stripped ? route.mountPath : '')
    fields.applyHostPolicy(route.service.policy.hostHeader)
    if (kind === 'upgrade') fields.fields.push('Connection', 'Upgrade', 'Upgrade', fields.upgrade)
    const [requestId, clientAddress, host] = [this.#requestId, this.#clientAddress, this.#host]
    const proto = this.#proto
    const edits =
      rules === null
        ? undefined
        : this.#gatekeeper.answerEdits({ rules, requestId, clientAddress, host, fields: fields.fields })
    return {
      kind: 'routed',
      opening: {
        kind,
        hops: 0,
        service: route.service.name,
        method: req.method ?? 'GET',
        target: forwarded === rawPath ? target : forwarded + target.slice(rawPath.length),
        fields: fields.fields,
        client: connection.trusted ? addressGroup(clientAddress) : connection.addressGroup,
        traced: this.#traced === undefined ? undefined : true,
      },
      route,
      requestId,
      clientAddress,
      proto,
      host,
      path,
      receivedPath,
      protocol: this.#protocol,
      traceParent: fields.traceParent,
      traced: this.#traced,
      userAgent: fields.userAgent,
      accept: fields.accept,
      contentLength: fields.contentLength,
      chunked: fields.chunked,
      expectsContinue: fields.expectsContinue,
      upgrade: fields.upgrade,
      via: connection.http2
        ? this.#via.http2
        : req.httpVersionMinor === 0
          ? this.#via.http10
          : this.#via.http11,
      looped: fields.looped,
      maxForwards: fields.maxForwards,
      trace: fields.maxForwards === 0 && req.method === 'TRACE' ? traceText(req, rules) : '',
      edits,
      hsts: hstsFor(proto, edits, this.#hsts),
      limits: undefined,
      receivedFields: undefined,
      limitName: undefined,
      balancingKey: undefined,
      subset: undefined,
      capture: undefined,
      replay: undefined,
      authenticatesConnection: fields.authenticatesConnection,
    }
  }
}
