// Removes the content coding of a captured body, up to a number of bytes. The body may be cut, so an incomplete stream is no error. The
// work runs outside of the event loop. Its memory and the number of bodies at the same time are bounded.

import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'

/** Bodies that are decoded at the same time. Further ones are left out. */
const MAX_ACTIVE = 16
const CODINGS = {
  gzip: () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }),
  'x-gzip': () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }),
  deflate: () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush }),
} as const

export interface DecodedBody {
  readonly bytes: Buffer
  /** True when the decoded body has more bytes than were wanted. */
  readonly isCut: boolean
}

let active = 0

/** Resolves with undefined when the coding is unknown, the bytes are malformed, or too many bodies are being decoded. Never rejects. */
export async function decodeBody(
  coding: string,
  bytes: Buffer,
  maxBytes: number,
): Promise<DecodedBody | undefined> {
  if (!Object.hasOwn(CODINGS, coding) || active >= MAX_ACTIVE) return undefined
  active += 1
  const stream = CODINGS[coding as keyof typeof CODINGS]()
  try {
    const chunks: Buffer[] = []
    let length = 0
    stream.end(bytes)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > maxBytes) break
    }
    const decoded = Buffer.concat(chunks)
    return { bytes: decoded.subarray(0, maxBytes), isCut: decoded.length > maxBytes }
  } catch {
    // The sender of the body chooses its bytes, so a malformed body is no fault of Plugboard.
    return undefined
  } finally {
    active -= 1
    stream.destroy()
  }
}
