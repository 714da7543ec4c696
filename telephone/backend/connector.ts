// Opens sockets to one backend: TCP, TLS or a unix socket. For a name with several addresses it tries all of them
// (RFC 8305). `localhost` always has two addresses, so that a backend may listen on ::1 or on 127.0.0.1.
// http1/ and http2/ implement the protocols on these sockets.

import { connect as connectTcp, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type HttpTarget, targetText } from '@vera-stack/shared/net/backend-target.ts'

export interface ConnectorOptions {
  /** False: accepts any certificate of a TLS backend. Default true. */
  readonly tlsVerify?: boolean
  /** PEM of certificate authorities to trust instead of the usual ones. */
  readonly tlsCa?: string
}

export interface Connector {
  /** Name of the backend in messages: `http://127.0.0.1:3000`. */
  readonly backend: string
  /** True when connections use TLS. */
  readonly secure: boolean
  /** True when the name of the host has to be resolved. The socket emits `lookup` when that is done. */
  readonly needsDns: boolean
  /**
   * Starts to connect. Calls `onReady` when request bytes may be written; failures are `error` events of the socket.
   * `onRead`: the socket reads into a buffer of the caller, without an allocation for each read. Absent: a normal socket.
   */
  open(onReady: () => void, onRead?: OnReadOpts): Socket
}

/** Bytes of request bodies that may wait in the process for a slow backend, per connection. */
const WRITE_BUFFER_BYTES = 262_144

/** Both loopback addresses, independent of the hosts file (RFC 6761 section 6.3). */
const lookupLocalhost: LookupFunction = (_name, _options, callback) => {
  callback(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ])
}

export function createConnector(target: HttpTarget, options: ConnectorOptions = {}): Connector {
  // The TLS session of the last handshake is kept, so that the next handshake is shorter.
  let tlsSession: Buffer | undefined
  return {
    backend: targetText(target),
    secure: target.kind === 'tls',
    needsDns: target.kind !== 'unix' && target.host !== 'localhost' && isIP(target.host) === 0,
    open(onReady, onRead) {
      const onread = onRead === undefined ? {} : { onread: onRead, allowHalfOpen: true }
      const common = { ...onread, highWaterMark: WRITE_BUFFER_BYTES }
      if (target.kind === 'unix') return connectTcp({ ...common, path: target.path }, onReady)
      const { host, port } = target
      const lookup = host === 'localhost' ? { lookup: lookupLocalhost } : {}
      const tcp = { ...common, ...lookup, host, port, noDelay: true, autoSelectFamily: true }
      if (target.kind === 'tcp') return connectTcp(tcp, onReady)
      const socket = connectTls(
        {
          ...tcp,
          ALPNProtocols: [target.http2 ? 'h2' : 'http/1.1'],
          rejectUnauthorized: options.tlsVerify ?? true,
          ...(isIP(target.host) === 0 && { servername: target.host }),
          ...(options.tlsCa !== undefined && { ca: options.tlsCa }),
          ...(tlsSession !== undefined && { session: tlsSession }),
        },
        onReady,
      )
      socket.on('session', session => {
        tlsSession = session
      })
      return socket
    },
  }
}
