// Clients of bulk transfers on plain sockets. All reads use one buffer and all writes another one, so that the client uses as
// little of the machine as possible.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { StallJob, StallResult, TransferJob, TransferResult } from './protocol.ts'

const BUFFER_BYTES = 1 << 20
const PIECE_BYTES = 1 << 18
const KEPT_ALIVE_MS = 60_000
const HEAD_END = '\r\n\r\n'

/** Reads one response. Resolves with the size of its body when the body is complete. */
function readResponse(
  job: TransferJob | StallJob,
  onFirstBytes: (socket: Socket) => void = () => undefined,
): { socket: Socket; bodyBytes: Promise<number> } {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  let head = ''
  let bodyBytes = -1
  let expected = Number.NaN
  let settle: { resolve: (bytes: number) => void; reject: (error: Error) => void }
  const done = new Promise<number>((resolve, reject) => {
    settle = { resolve, reject }
  })
  const onData = (bytes: number) => {
    if (bodyBytes >= 0) {
      bodyBytes += bytes
    } else {
      head += buffer.toString('latin1', 0, bytes)
      const end = head.indexOf(HEAD_END)
      if (end < 0) return true
      if (!/^HTTP\/1\.1 200/.test(head)) settle.reject(new Error(`not a 200: ${head.slice(0, 500)}`))
      expected = Number(/content-length: *(\d+)/i.exec(head.slice(0, end + 2))?.[1] ?? Number.NaN)
      bodyBytes = head.length - end - HEAD_END.length
      onFirstBytes(socket)
    }
    if (bodyBytes === expected) settle.resolve(bodyBytes)
    return true
  }
  const socket = connect({
    port: job.port,
    host: '127.0.0.1',
    noDelay: true,
    onread: { buffer, callback: onData },
  })
  socket.on('error', error => settle.reject(error))
  socket.on('close', () => settle.reject(new Error(`closed after ${bodyBytes} of ${expected} bytes`)))
  return { socket, bodyBytes: done }
}

export async function download(job: TransferJob): Promise<TransferResult> {
  const { socket, bodyBytes } = readResponse(job)
  const started = performance.now()
  socket.write(`GET /download?bytes=${job.bytes} HTTP/1.1\r\nHost: ${job.host}\r\n\r\n`)
  const bytes = await bodyBytes
  socket.destroy()
  return { bytes, seconds: (performance.now() - started) / 1000 }
}

export async function upload(job: TransferJob): Promise<TransferResult> {
  const { socket, bodyBytes } = readResponse(job)
  const started = performance.now()
  const piece = Buffer.alloc(PIECE_BYTES, 'vera')
  socket.write(`PUT /upload HTTP/1.1\r\nHost: ${job.host}\r\nContent-Length: ${job.bytes}\r\n\r\n`)
  for (let sent = 0; sent < job.bytes; sent += piece.length) {
    const more = socket.write(piece.subarray(0, Math.min(piece.length, job.bytes - sent)))
    if (!more) await once(socket, 'drain')
  }
  await bodyBytes
  socket.destroy()
  return { bytes: job.bytes, seconds: (performance.now() - started) / 1000 }
}

export async function stall(job: StallJob): Promise<StallResult> {
  await new Promise<void>((resolve, reject) => {
    const { socket, bodyBytes } = readResponse(job, stalled => {
      stalled.pause()
      resolve()
    })
    bodyBytes.catch(reject)
    socket.write(`GET /download?bytes=${job.bytes} HTTP/1.1\r\nHost: ${job.host}\r\n\r\n`)
  })
  // A socket that is not read does not keep the process alive. This timer does, until the process is stopped.
  setInterval(() => undefined, KEPT_ALIVE_MS)
  return { stalled: true }
}
