// The reference page and its files. test/e2e/browser.test.ts opens the page in a browser.

import { gunzipSync } from 'node:zlib'
import { OpenAPIHono } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import type { AdminEnv } from '../admin-env.ts'
import { addReferencePage } from './reference-page.ts'

const app = new OpenAPIHono<AdminEnv>()
addReferencePage(app)

const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers })

describe('the reference page', () => {
  it('loads scripts, styles and data from its own origin alone', async () => {
    const response = await get('/reference')
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
    expect(policy).not.toContain('unsafe')
    const text = await response.text()
    const files = [...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(match => match[1] as string)
    for (const file of files.filter(each => each.startsWith('/reference/'))) {
      const { status } = await get(file)
      expect([file, status]).toEqual([file, 200])
    }
    expect(files).toHaveLength(4)
  })

  it('compresses its files for clients that accept gzip', async () => {
    const plain = await get('/reference/swagger-ui.css')
    expect(plain.headers.get('content-encoding')).toBeNull()
    const bytes = Buffer.from(await plain.arrayBuffer())
    for (const accepted of ['gzip', 'br, GZIP;q=0.5']) {
      const gzipped = await get('/reference/swagger-ui.css', { 'accept-encoding': accepted })
      expect(gzipped.headers.get('content-encoding')).toBe('gzip')
      expect(gunzipSync(await gzipped.arrayBuffer()).equals(bytes)).toBe(true)
    }
    for (const refused of ['gzip;q=0', 'br', 'gzip;q=0.000'])
      expect(
        (await get('/reference/swagger-ui.css', { 'accept-encoding': refused })).headers.get(
          'content-encoding',
        ),
      ).toBeNull()
  })

  it('sends a file again only when it has changed', async () => {
    const first = await get('/reference/swagger-ui.css')
    const etag = first.headers.get('etag') ?? ''
    expect([first.headers.get('cache-control'), etag]).toEqual([
      'no-cache',
      expect.stringMatching(/^"[\w-]{22}"$/),
    ])
    const second = await get('/reference/swagger-ui.css', { 'if-none-match': etag })
    expect([second.status, await second.text()]).toEqual([304, ''])
  })
})
