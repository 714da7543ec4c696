// Distinguishes cleartext HTTP/2 (prior knowledge, RFC 9113 section 3.3) from HTTP/1.1 by the first bytes of a connection,
// which stay in the socket. Only used when `http2Cleartext` is on; otherwise no connection waits for its first bytes.

import type { Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'

/** The start of HTTP/2. No method of HTTP/1.1 starts like this, and Node's HTTP/1 parser refuses the version. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n')

/** `late`: too few bytes for a decision arrived in time. */
export type FirstBytes = 'http1' | 'http2' | 'late'

/**
 * Calls `decided` once. That call must start to serve the socket before it returns. `decided` is not called for a socket that
 * closes earlier.
 */
export function readFirstBytes(
  socket: Socket,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
  decided: (first: FirstBytes) => void,
): void {
  let received: Buffer = Buffer.alloc(0)
  const leave = (): void => {
    timer.cancel()
    socket.off('data', onData).off('error', leave).off('close', leave)
  }
  const decide = (first: FirstBytes): void => {
    leave()
    socket.pause()
    if (received.length > 0) socket.unshift(received)
    decided(first)
    // Buffered bytes are emitted in the next tick, before the socket is read again. An HTTP/2 session adds no `data` listener,
    // because it reads the socket itself.
    if (socket.listenerCount('data') > 0) socket.resume()
  }
  const onData = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const compared = Math.min(received.length, PREFACE.length)
    if (received.compare(PREFACE, 0, compared, 0, compared) !== 0) decide('http1')
    else if (compared === PREFACE.length) decide('http2')
  }
  const timer = clock.after(timeoutMs, () => decide('late'))
  socket.on('data', onData).on('error', leave).on('close', leave)
}
