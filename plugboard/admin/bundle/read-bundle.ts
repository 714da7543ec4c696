// Reads the body of a request with a bundle: decompresses it, limits its length, and checks its parts while they arrive. The parts of
// a large bundle take many turns of the event loop.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { OutboundNetworks } from '../../routes/options/outbound-networks.ts'
import { RequestError } from '../http/problem.ts'
import { BundleInput } from './bundle-input.ts'
import { BundleScanner } from './bundle-scanner.ts'

/** Bytes that one turn of the event loop scans: about a hundred routes. */
const SLICE_BYTES = 16 * 1024

export interface ReadOptions {
  /** Limits the body as it was sent, and its text. */
  readonly maxBytes: number
  readonly outbound: OutboundNetworks
  readonly prune: boolean
}

/** Rejects with `invalid_request`, `unsupported_media_type` or `payload_too_large`. */
export async function readBundle(
  { headers, body }: Pick<Request, 'headers' | 'body'>,
  { maxBytes, outbound, prune }: ReadOptions,
): Promise<BundleInput> {
  const type = headers.get('content-type') ?? ''
  if (!/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new VeraError('unsupported_media_type', 'Send Content-Type: application/json.')
  }
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const scanner = new BundleScanner()
  const input = new BundleInput(outbound)
  if (body !== null) {
    for await (const chunk of textOf(body, headers, maxBytes)) {
      for (let from = 0; from < chunk.length; from += SLICE_BYTES) {
        for (const part of scanner.push(chunk.subarray(from, from + SLICE_BYTES))) input.add(part)
        await nextTurn()
      }
    }
  }
  scanner.end()
  input.end(prune)
  return input
}

function tooLarge(maxBytes: number): VeraError {
  const text = `The bundle is larger than ${maxBytes} bytes (maxBundle). Import fewer routes at once, or raise the setting.`
  return new VeraError('payload_too_large', text)
}

/** Yields the text of the body, decompressed. Throws when it is longer than `maxBytes`, before more than that is in memory. */
async function* textOf(
  body: NonNullable<Request['body']>,
  headers: Headers,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const coding = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase()
  if (coding === 'identity') return yield* bounded(body, maxBytes)
  if (coding !== 'gzip') {
    throw new VeraError(
      'unsupported_media_type',
      `The content coding "${coding}" is not supported. Send gzip or none.`,
    )
  }
  const text = createGunzip()
  // The loop below gets the error of the pipeline, and its end destroys both streams.
  pipeline(Readable.from(bounded(body, maxBytes)), text).catch(() => undefined)
  try {
    yield* bounded(text, maxBytes)
  } catch (error) {
    if (!isGzipError(error)) throw error
    const detail = 'The body is not valid gzip.'
    throw new RequestError('invalid_request', detail, [{ header: 'content-encoding', detail }])
  } finally {
    text.destroy()
  }
}

const isGzipError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')

async function* bounded(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > maxBytes) throw tooLarge(maxBytes)
    yield chunk
  }
}
