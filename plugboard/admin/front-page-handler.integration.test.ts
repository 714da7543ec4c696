import { describe, expect, test } from 'vitest'
import type { AdminApiHarness } from '../../test/support/admin-api/admin-api.ts'
import { useAdminApi } from '../../test/support/admin-api/use-admin-api.ts'
import { harnessRoute } from '../../test/support/harness/proxy-harness.ts'

let api: AdminApiHarness
useAdminApi(created => {
  api = created
})

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

async function page(headers: Record<string, string> = {}, remoteAddress = '127.0.0.1') {
  const request = api.request('GET', '/', { key: null, headers: { accept: BROWSER, ...headers } })
  const response = await api.app.fetch(request, { incoming: { socket: { remoteAddress } } })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('the front page', () => {
  test('is an index for programs', async () => {
    for (const accept of ['application/json', '*/*']) {
      const { body, headers } = await api.call('GET', '/', { key: null, headers: { accept } })
      expect(body).toMatchObject({ name: 'plugboard', status: 'ready', links: { openapi: '/openapi.json' } })
      expect([headers.get('vary'), headers.get('content-type')]).toEqual(['Accept', 'application/json'])
    }
  })

  test('is a page without scripts for browsers, with figures for the same machine', async () => {
    const route = harnessRoute({ host: 'app.test' })
    api.services.push(route.service)
    api.routesOfServices.push(route)
    const { status, headers, text } = await page()
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8'])
    const policy = headers.get('content-security-policy')
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; .*frame-ancestors 'none'$/)
    expect(policy).not.toContain('unsafe')
    expect(text).not.toContain('<script')
    expect(text).toContain('<div><dt>Services without a line</dt><dd>1</dd></div>')
    expect(text).toContain('href="https://proxy.test"')
  })

  test('prints commands that work from any folder, with the real public URL', async () => {
    const { text } = await page()
    const data = '--data &#39;/srv/plug board&#39;'
    expect(text).toContain(`plugboard status ${data}</pre>`)
    expect(text).toContain(`plugboard route test https://proxy.test/ ${data}</pre>`)
    expect(text).toContain('$(cat &#39;/srv/plug board/secrets/admin.key&#39;)')
    expect((await page({ host: 'localhost:5001' })).text).toContain(
      'status --url http://localhost:5001 --data',
    )
    const elsewhere = (await page({ host: 'plugboard.example.com:4001' })).text
    expect(elsewhere).not.toContain('/srv')
    expect(elsewhere).toContain('plugboard status --url http://plugboard.example.com:4001</pre>')
    expect(elsewhere).toContain('Bearer $PLUGBOARD_API_KEY')
  })

  test('shows no figures to other machines or to requests with a public name', async () => {
    for (const { text } of [
      await page({}, '192.0.2.1'),
      await page({ host: 'plugboard.example.com' }),
      await page({ host: '127.0.0.1.example.com' }),
    ]) {
      expect(text).toContain('<dt>State</dt><dd>ready</dd>')
      expect(text).not.toContain('Services without a line')
      expect(text).not.toContain('https://proxy.test')
    }
    expect((await page({ host: '[::1]:4001' }, '::ffff:127.0.0.1')).text).toContain('Services without a line')
  })

  test('escapes the host of the request', async () => {
    const { text } = await page({ host: 'a"><b>.test' })
    expect(text).not.toContain('<b>')
  })

  test('opens from a link on another web site, and rejects all other requests from there', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await page(link)).status).toBe(200)
    expect((await api.call('GET', '/dashboard', { key: null, headers: link })).status).toBe(302)
    expect((await page({ ...link, 'sec-fetch-mode': 'no-cors' })).status).toBe(403)
    const { status } = await api.call('GET', '/openapi.json', { key: null, headers: link })
    expect(status).toBe(403)
  })
})
