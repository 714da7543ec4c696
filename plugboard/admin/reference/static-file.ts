// One file that the admin port serves to browsers: read and compressed at its first request, and then kept in memory. The name
// of a file never comes from a request.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { acceptsCoding } from '@vera-stack/shared/http/accepts-coding.ts'
import type { Context } from 'hono'

const compress = promisify(gzip)

interface Content {
  readonly plain: Buffer<ArrayBuffer>
  readonly gzipped: Buffer<ArrayBuffer>
  readonly etag: string
}

export class StaticFile {
  readonly #url: URL
  readonly #type: string
  #content: Promise<Content> | undefined

  /** `type`: the media type. */
  constructor(url: URL, type: string) {
    this.#url = url
    this.#type = type
  }

  /** Returns the file, or 304 when the client has it. Rejects when the file cannot be read, and reads it again the next time. */
  async respond(c: Context): Promise<Response> {
    this.#content ??= readContent(this.#url)
    const { plain, gzipped, etag } = await this.#content.catch(error => {
      this.#content = undefined
      throw error
    })
    // A browser may keep the file, but asks each time whether it is still current.
    c.header('Cache-Control', 'no-cache')
    c.header('ETag', etag)
    c.header('Vary', 'Accept-Encoding')
    if (c.req.header('if-none-match') === etag) return c.body(null, 304)
    c.header('Content-Type', this.#type)
    if (!acceptsCoding(c.req.header('accept-encoding'), 'gzip')) return c.body(plain)
    c.header('Content-Encoding', 'gzip')
    return c.body(gzipped)
  }
}

async function readContent(url: URL): Promise<Content> {
  const plain = await readFile(url)
  const hash = createHash('sha256').update(plain).digest('base64url')
  return { plain, gzipped: await compress(plain), etag: `"${hash.slice(0, 22)}"` }
}
