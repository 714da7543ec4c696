// Sends a bundle to `PUT /v1/bundle`, compressed and in pieces. The server checks each piece while it arrives, so the progress of the
// upload is the progress of the check. Problems get the line of the file.

import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import type { BundleResultBody } from '../../admin/api-types.ts'
import { type ApiClient, ApiError, type Culprit } from '../api/api-client.ts'
import { CliError } from '../cli-error.ts'
import type { Bundle } from './bundle.ts'

const PATH = '/v1/bundle'
/** With 100,000 routes the server takes some seconds; a slow link or a busy database takes longer. */
const TIMEOUT_MS = 300_000
const ROWS_PER_PIECE = 500

export interface SendOptions {
  readonly dryRun: boolean
  readonly prune: boolean
  /** The sequence of the change log that the bundle was made from. A later change of the same row is an error. */
  readonly since?: number
  /** Called after each piece. `sent`: the services and routes that were sent. */
  readonly progress?: (sent: number, total: number) => void
}

/** Rejects with an ApiError that has the problems of the bundle, or with a CliError. */
export async function sendBundle(
  api: ApiClient,
  bundle: Bundle,
  options: SendOptions,
): Promise<BundleResultBody> {
  const { dryRun, prune, since } = options
  const pieces = Readable.from(piecesOf(bundle, options.progress), { objectMode: false })
  const compressed = pieces.pipe(createGzip({ level: 1 }))
  pieces.on('error', error => compressed.destroy(error))
  try {
    const { body } = await api.request<BundleResultBody>('PUT', PATH, {
      query: { dryRun: dryRun || undefined, prune: prune || undefined },
      compressed: Readable.toWeb(compressed) as ReadableStream<Uint8Array>,
      timeoutMs: TIMEOUT_MS,
      ...(since === undefined ? {} : { ifMatch: `"${since}"` }),
    })
    return body
  } catch (error) {
    const isOlder = error instanceof ApiError && (error.status === 404 || error.status === 405)
    if (!isOlder) throw error
    const text = `this Plugboard has no PUT ${PATH}, because it is older than 0.2.0. Upgrade it, or use the plugboard command of its version`
    throw new CliError(text, { cause: error })
  } finally {
    pieces.destroy()
    compressed.destroy()
  }
}

async function* piecesOf(bundle: Bundle, progress: SendOptions['progress']): AsyncGenerator<string> {
  const { services, routes } = bundle
  const total = services.length + routes.length
  let sent = 0
  yield '{"version":1'
  for (const [key, rows] of [
    ['services', services],
    ['routes', routes],
  ] as const) {
    yield `,"${key}":[`
    for (let from = 0; from < rows.length; from += ROWS_PER_PIECE) {
      const piece = rows.slice(from, from + ROWS_PER_PIECE)
      yield (from === 0 ? '' : ',') + piece.map(row => JSON.stringify(row)).join(',')
      sent += piece.length
      progress?.(sent, total)
      await nextTurn()
    }
    yield ']'
  }
  yield '}'
}

/** Returns the problems of a bundle with their lines: `routes.yaml:12: routes[3].mount: …`. Other errors have one text. */
export async function problemLines(error: ApiError, text: string, file: string): Promise<string> {
  const { isNode, LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (path: readonly (string | number)[]): string => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return `${file}:${lines.linePos(node.range[0]).line}`
    }
    return file
  }
  return error.culprits
    .map(culprit => {
      const path = pathOf(culprit)
      const name = path.reduce<string>(
        (whole, part) =>
          typeof part === 'number' ? `${whole}[${part}]` : whole === '' ? part : `${whole}.${part}`,
        '',
      )
      return `${lineOf(path)}: ${name}: ${culprit.detail}`
    })
    .join('\n')
}

function pathOf({ pointer = '' }: Culprit): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map(part => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')))
}
