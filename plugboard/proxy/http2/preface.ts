// Tells a cleartext connection of HTTP/2 (prior knowledge, RFC 9113 section 3.3) from one of HTTP/1.1 by its first
// bytes, which are put back. Only where `http2Cleartext` is on: else no connection waits for them.

import type { Socket } from 'node:net'
import type { Clock } from '@vera-stack/shared/clock.ts'

/** No method of HTTP/1.1 begins like this, and Node's parser would refuse the version. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n')

/** `late`: too few bytes to decide have arrived within the time. */
export type FirstBytes = 'http1' | 'http2' | 'late'

/**
 * Calls `decided` once; the caller takes the socket over before it returns. A socket that closes earlier needs no
 * decision.
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
    // What is buffered goes out in the next tick, before the socket is read again. A session does not listen; it
    // fetches the bytes itself.
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
