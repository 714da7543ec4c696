import { describe, expect, test } from 'vitest'
import type { AdminApiHarness } from '../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../test/support/admin-api/use-admin-api.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const page = (path: string, headers: Record<string, string> = {}) =>
  api.call('GET', path, { key: null, headers: { accept: BROWSER, ...headers } })

describe('the root of the admin port', () => {
  test('is an index for programs', async () => {
    for (const accept of ['application/json', '*/*']) {
      const { body, headers } = await page('/', { accept })
      expect(body).toMatchObject({
        name: 'plugboard',
        status: 'ready',
        links: { dashboard: '/dashboard/', openapi: '/openapi.json' },
      })
      expect([headers.get('vary'), headers.get('content-type')]).toEqual(['Accept', 'application/json'])
    }
  })

  test('leads browsers to the dashboard, with their query', async () => {
    for (const [path, location] of [
      ['/', '/dashboard/'],
      ['/?q=a%20b&x', '/dashboard/?q=a%20b&x'],
      ['/?//evil.test', '/dashboard/?//evil.test'],
    ] as const) {
      const { status, headers } = await page(path)
      expect([status, headers.get('location'), headers.get('vary')]).toEqual([302, location, 'Accept'])
    }
  })

  test('opens from a link on another web site, and rejects all other requests from there', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await page('/', link)).status).toBe(302)
    expect((await page('/dashboard', link)).status).toBe(302)
    expect((await page('/', { ...link, 'sec-fetch-mode': 'no-cors' })).status).toBe(403)
    expect((await page('/openapi.json', link)).status).toBe(403)
  })
})
