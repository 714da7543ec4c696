// The built files of the dashboard, in memory: each with its brotli and gzip copies, which the build has made
// (dashboard/build.ts). A request only selects among them, so its path never becomes the path of a file.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { acceptsCoding } from '@vera-stack/shared/http/accepts-coding.ts'

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
}
const CODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

interface Content {
  readonly body: Buffer<ArrayBuffer>
  /** A strong validator: the compressed copies have others. */
  readonly etag: string
}

export interface DashboardFile extends Content {
  readonly type: string
  /** Undefined: not compressed. */
  readonly coding: 'br' | 'gzip' | undefined
}

export class DashboardFiles {
  readonly #contents: ReadonlyMap<string, Content>

  private constructor(contents: ReadonlyMap<string, Content>) {
    this.#contents = contents
  }

  /** Reads all files of the folder. Resolves with undefined when the dashboard has not been built. */
  static async read(folder: URL): Promise<DashboardFiles | undefined> {
    let names: string[]
    try {
      names = await readdir(folder, { recursive: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const files = names.filter(name => extensionOf(name) in TYPES || /\.(br|gz)$/.test(name))
    const contents = await Promise.all(
      files.map(async name => {
        const path = name.replaceAll('\\', '/')
        const body = await readFile(new URL(path, withSlash(folder)))
        const hash = createHash('sha256').update(body).digest('base64url')
        return [path, { body, etag: `"${hash.slice(0, 22)}"` }] as const
      }),
    )
    const found = new Map(contents)
    return found.has('index.html') ? new DashboardFiles(found) : undefined
  }

  /** `name`: the path in the folder, such as `assets/main-4f2a.js`. `acceptEncoding`: the field of the request. */
  find(name: string, acceptEncoding: string | undefined): DashboardFile | undefined {
    const plain = this.#contents.get(name)
    const type = TYPES[extensionOf(name)]
    if (plain === undefined || type === undefined) return undefined
    for (const [coding, suffix] of CODINGS) {
      const copy = this.#contents.get(name + suffix)
      if (copy !== undefined && acceptsCoding(acceptEncoding, coding)) return { type, ...copy, coding }
    }
    return { type, ...plain, coding: undefined }
  }
}

const extensionOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1)
const withSlash = (folder: URL): URL => new URL(`${folder.href.replace(/\/?$/, '')}/`)
