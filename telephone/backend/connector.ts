// Opens sockets to one backend: TCP, TLS or a unix socket. Names with several addresses are tried on all of them
// (RFC 8305), and `localhost` always has two: whether a backend listens on ::1 or 127.0.0.1 is no matter.
// What is spoken on them is http1/ and http2/.

import { connect as connectTcp, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type HttpTarget, targetText } from '@vera-stack/shared/backend-target.ts'

export interface ConnectorOptions {
  /** False: any certificate of a TLS backend is taken. Default true. */
  readonly tlsVerify?: boolean
  /** PEM of certificate authorities to trust instead of the usual ones. */
  readonly tlsCa?: string
}

export interface Connector {
  /** The backend as messages name it: `http://127.0.0.1:3000`. */
  readonly backend: string
  /** True when connections use TLS. */
  readonly secure: boolean
  /** True when the name of the host has to be resolved. The socket emits `lookup` when that is done. */
  readonly needsDns: boolean
  /**
   * Begins to connect. `onReady` when request bytes may be written; failures come as the socket's `error`.
   * `onRead`: reads go into a buffer of the caller's, without an allocation for each; absent: a usual socket.
   */
  open(onReady: () => void, onRead?: OnReadOpts): Socket
}

/** Bytes of a request body that may wait in the process for a slow backend, per connection. */
const WRITE_BUFFER_BYTES = 262_144

/** Both loopback addresses, whatever the hosts file says (RFC 6761 section 6.3). */
const lookupLocalhost: LookupFunction = (_name, _options, callback) => {
  callback(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ])
}

export function createConnector(target: HttpTarget, options: ConnectorOptions = {}): Connector {
  // The whole of a TLS session is remembered from the last handshake, so that the next one is shorter.
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
