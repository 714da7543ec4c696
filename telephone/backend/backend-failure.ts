// Finds the cause of a failed request to a backend: an error of a socket, of TLS, of a parser or of a queue becomes a
// TunnelError with a code of shared/backend-causes.ts and one sentence. The log, the status lines and Plugboard receive
// the same code and the same sentence. No other file reads the error codes of Node and of OpenSSL for HTTP/1 backends.

import type { Socket } from 'node:net'
import { BACKEND_CAUSES, type BackendCauseCode, backendCause } from '@vera-stack/shared/backend-causes.ts'
import { type Reason, TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'

/** The cause of a failed request, described for the operator of the Telephone. */
export interface BackendFailure {
  readonly cause: BackendCauseCode
  /** One sentence, at most 200 characters. It may name the backend, and contains no byte of a response. */
  readonly detail: string
  /** One sentence: the remedy for the operator. */
  readonly remedy: string
}

/** The part of a response that has arrived when the connection ends. */
export type ResponseProgress = 'nothing' | 'part of the head' | 'part of the body'

/** The end of a sentence that begins with `Backend http://127.0.0.1:3000`, for each code of a socket or of TLS. */
const CONNECT_CAUSES: Readonly<Record<string, readonly [BackendCauseCode, string]>> = {
  ECONNREFUSED: ['connection_refused', 'refused the connection'],
  ETIMEDOUT: ['connect_timeout', 'did not accept the connection in time'],
  ERR_SOCKET_CONNECTION_TIMEOUT: ['connect_timeout', 'did not accept the connection in time'],
  EHOSTUNREACH: ['host_unreachable', 'cannot be reached: no route leads to the host'],
  EHOSTDOWN: ['host_unreachable', 'cannot be reached: the host is down'],
  ENETUNREACH: ['host_unreachable', 'cannot be reached: no route leads to the network'],
  ENETDOWN: ['host_unreachable', 'cannot be reached: the network is down'],
  EADDRNOTAVAIL: ['host_unreachable', 'cannot be reached: no local address is available for it'],
  EAFNOSUPPORT: ['host_unreachable', 'cannot be reached: the system does not support its address family'],
  ENOTFOUND: ['name_not_found', 'has a host name that does not exist in DNS'],
  EAI_AGAIN: ['dns_unavailable', 'has a host name that could not be resolved: DNS does not respond'],
  EAI_FAIL: ['dns_unavailable', 'has a host name that could not be resolved: DNS failed'],
  EAI_NODATA: ['name_not_found', 'has a host name without an address in DNS'],
  EAI_NONAME: ['name_not_found', 'has a host name that does not exist in DNS'],
  ENOENT: ['socket_missing', 'has a socket file that does not exist'],
  ENOTSOCK: ['socket_missing', 'has a path that is not a socket file'],
  ENOTDIR: ['socket_missing', 'has a path that leads through a file'],
  EACCES: ['permission_denied', 'cannot be reached: the system denied the permission'],
  EPERM: ['permission_denied', 'cannot be reached: the system denied the permission'],
  EMFILE: ['too_many_open_files', 'cannot be reached: the Telephone has too many open files'],
  ENFILE: ['too_many_open_files', 'cannot be reached: the system has too many open files'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls_self_signed', 'has a self-signed certificate'],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls_self_signed', 'has a certificate of a self-signed authority'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls_unknown_issuer', 'has a certificate of an unknown authority'],
  UNABLE_TO_GET_ISSUER_CERT: ['tls_unknown_issuer', 'has a certificate of an unknown authority'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['tls_unknown_issuer', 'has a certificate of an unknown authority'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls_wrong_name', 'has a certificate for another host name'],
  CERT_HAS_EXPIRED: ['tls_expired', 'has a certificate that has expired'],
  CERT_NOT_YET_VALID: ['tls_not_yet_valid', 'has a certificate that is not valid yet'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['tls_plain_port', 'does not respond with TLS'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['tls_plain_port', 'does not respond with TLS'],
  ERR_SSL_HTTP_REQUEST: ['tls_plain_port', 'does not respond with TLS'],
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: [
    'tls_failed',
    'does not accept the versions of TLS of the Telephone',
  ],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ['tls_failed', 'uses a version of TLS that the Telephone does not accept'],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ['tls_failed', 'requires a client certificate'],
  // Of a target with HTTP/1. http2/session.ts reads the same code for a target with HTTP/2.
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: ['http2_required', 'does not accept HTTP/1 over TLS (ALPN)'],
}

/** Errors of an address that the machine cannot use. The error of another address of the backend has more information. */
const ADDRESS_ERRORS: ReadonlySet<unknown> = new Set([
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Text of OpenSSL in an error without a code of its own (EPROTO). */
const PLAIN_PORT_TEXT = /wrong version number|packet length too long|http request/
/** `4003E59E:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../deps/...`: the reason in it. */
const OPENSSL_TEXT = /\berror:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/
const OPENSSL_CODE = /^ERR_SSL_/

/** An error before the connection was ready: no byte of the request has left. `secure`: the backend uses TLS. */
export function connectFailure(error: Error, backend: string, secure: boolean): TunnelError {
  const { code = '', message } = firstError(error)
  const [causeCode, text] = CONNECT_CAUSES[code] ?? otherConnectCause(code, reasonIn(message), secure)
  const suffix = code === '' ? '' : ` (${code})`
  return unreachable(causeCode, `Backend ${backend} ${text}${suffix}.`, error)
}

/** The backend ended the connection in order, before a request could be sent. */
export function closedBeforeReady(backend: string, secure: boolean): TunnelError {
  return secure
    ? unreachable('tls_failed', `Backend ${backend} closed the connection during the TLS handshake.`)
    : unreachable('connect_failed', `Backend ${backend} closed the connection before it was ready.`)
}

/** The step that a connection waits for. */
export type ConnectStage = 'name' | 'connection' | 'handshake'

/** Follows a new socket. Returns a function that reports the step that the socket waits for. */
export function watchStage(socket: Socket, needsDns: boolean): () => ConnectStage {
  let resolved = !needsDns
  if (needsDns) {
    socket.once('lookup', () => {
      resolved = true
    })
  }
  return () => (!resolved ? 'name' : socket.connecting ? 'connection' : 'handshake')
}

export function connectTimeout(backend: string, timeoutMs: number, stage: ConnectStage): TunnelError {
  const time = `${timeoutMs / 1000} s`
  switch (stage) {
    case 'name':
      return unreachable(
        'dns_unavailable',
        `DNS did not resolve the host name of backend ${backend} in ${time}.`,
      )
    case 'connection':
      return unreachable(
        'connect_timeout',
        `Backend ${backend} did not accept the connection within ${time}.`,
      )
    case 'handshake':
      return unreachable('tls_failed', `Backend ${backend} completed no TLS handshake within ${time}.`)
  }
}

/** Creates the error for a connection that could not be made. `detail` is a sentence that names the backend. */
export function unreachable(causeCode: BackendCauseCode, detail: string, cause?: unknown): TunnelError {
  return new TunnelError('backend_unreachable', { detail, causeCode, ...(cause !== undefined && { cause }) })
}

/** The backend ended the connection in order, before its response was complete. */
export function closedEarly(backend: string, progress: ResponseProgress): TunnelError {
  const nothing = progress === 'nothing'
  const detail = nothing
    ? `Backend ${backend} closed the connection without a response.`
    : `Backend ${backend} closed the connection after ${progress} of its response.`
  const causeCode = nothing ? 'closed_without_response' : 'response_cut'
  return new TunnelError('backend_closed', { detail, causeCode })
}

/** The connection failed after a request was sent on it. */
export function connectionFailure(error: Error, backend: string, progress: ResponseProgress): TunnelError {
  const { code = error.message, message } = firstError(error)
  if (OPENSSL_CODE.test(code)) return tlsConnectionFailure(code, message, backend, error)
  const when = progress === 'nothing' ? 'before its response' : `after ${progress} of its response`
  const text = code === 'ECONNRESET' ? 'reset the connection' : 'closed the connection'
  const detail = `Backend ${backend} ${text} ${when} (${code}).`
  return new TunnelError('backend_closed', { detail, causeCode: 'connection_reset', cause: error })
}

/** With TLS 1.3 the backend refuses the certificate of a client, or its absence, after the handshake of the client. */
function tlsConnectionFailure(code: string, message: string, backend: string, error: Error): TunnelError {
  const [causeCode, text] = CONNECT_CAUSES[code] ?? [
    'tls_failed',
    `ended the TLS connection: ${reasonIn(message)}`,
  ]
  const detail = `Backend ${backend} ${text} (${code}).`
  return new TunnelError('backend_closed', { detail, causeCode, cause: error })
}

/** The response broke a rule of HTTP. The detail is the rule alone, because Plugboard shows it to the client. */
export function invalidResponse(
  rule: string,
  causeCode: BackendCauseCode = 'invalid_response',
  cause?: unknown,
): TunnelError {
  return new TunnelError('backend_protocol_error', {
    detail: rule,
    causeCode,
    ...(cause !== undefined && { cause }),
  })
}

/** Every connection to the backend is in use. */
export function exhausted(detail: string): TunnelError {
  return new TunnelError('overloaded', { detail, causeCode: 'connections_exhausted' })
}

/**
 * Returns the failure of a backend that the error reports. Undefined when the error is not the backend's: the client
 * cancelled the request, the tunnel ended, the Telephone is stopping, or the client holds its share.
 */
export function failureOf(error: TunnelError): BackendFailure | undefined {
  const cause = error.causeCode ?? causeOfReason(error.reason, error.remote)
  if (cause === undefined || backendCause(cause) === undefined) return undefined
  const code = cause as BackendCauseCode
  return { cause: code, detail: sentenceOf(code, error), remedy: BACKEND_CAUSES[code].remedy }
}

function sentenceOf(cause: BackendCauseCode, { reason, detail }: TunnelError): string {
  if (detail === '') return BACKEND_CAUSES[cause].meaning
  return reason === 'backend_protocol_error' ? cutText(`The response breaks HTTP: ${detail}.`) : detail
}

/** Plugboard resets a stream when no response arrives in time. */
function causeOfReason(reason: Reason, remote: boolean): BackendCauseCode | undefined {
  return remote && (reason === 'backend_timeout' || reason === 'idle_timeout')
    ? 'response_timeout'
    : undefined
}

function otherConnectCause(
  code: string,
  message: string,
  secure: boolean,
): readonly [BackendCauseCode, string] {
  if (!secure) {
    return code === 'ECONNRESET'
      ? ['connection_reset', 'reset the connection before it was ready']
      : ['connect_failed', `did not accept the connection: ${message}`]
  }
  if (PLAIN_PORT_TEXT.test(message)) return ['tls_plain_port', 'does not respond with TLS']
  if (code === 'ECONNRESET') return ['tls_failed', 'closed the connection during the TLS handshake']
  return ['tls_failed', `failed the TLS handshake: ${message}`]
}

/** Returns the readable part of an OpenSSL error text. Returns any other text unchanged. */
function reasonIn(message: string): string {
  return OPENSSL_TEXT.exec(message)?.[1] ?? message
}

/** Returns the error of the first address that the machine can use, for a backend with several addresses. */
function firstError(error: Error): NodeJS.ErrnoException {
  if (!(error instanceof AggregateError)) return error
  const errors = error.errors.filter((each): each is NodeJS.ErrnoException => each instanceof Error)
  return errors.find(({ code }) => !ADDRESS_ERRORS.has(code)) ?? errors[0] ?? error
}
