// The dashboard in a real browser: log-in, every page in both themes and on a narrow screen with axe, and the work of a newcomer by
// keyboard. Skipped, with the reason, when Chromium is not installed.

import { describe, expect, it } from 'vitest'
import { hasChromium, useDashboard } from '../support/programs/dashboard.ts'

const PAGES = [
  'Overview',
  'Routes',
  'Services',
  'Telephones',
  'Traffic',
  'Changes',
  'Limits',
  'Cluster',
  'Access',
  'Doctor',
] as const

describe.skipIf(!hasChromium)('the dashboard', () => {
  const dashboard = useDashboard()
  const urlOf = (path: string): string => dashboard.urlOf(path)
  const call = async (method: string, path: string, body?: object): Promise<Response> =>
    await fetch(urlOf(path), {
      method,
      headers: {
        authorization: `Bearer ${await dashboard.plugboard.adminKey()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })

  it('opens with the link that plugboard dev prints, once', async () => {
    const { browser, page, plugboard } = dashboard
    const [link] = await plugboard.child.waitForLine(/http:\S+\/dashboard\/#code=\S+/)
    await page.goto(link)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(page.url()).not.toContain('code=')
    const other = await browser.newContext()
    const stranger = await other.newPage()
    await stranger.goto(link)
    await stranger.getByText('Run "plugboard dashboard" for a new one.').waitFor()
    await stranger.locator('#key').fill('vsk_wrong')
    await stranger.getByRole('button', { name: 'Log in' }).click()
    await stranger.getByText('The credential is not an API key').waitFor()
    await stranger.locator('#key').fill(await dashboard.plugboard.adminKey())
    await stranger.keyboard.press('Enter')
    await stranger.getByRole('heading', { name: 'Overview' }).waitFor()
    await stranger.getByRole('button', { name: 'Log out' }).click()
    await stranger.locator('#key').waitFor()
    await stranger.reload()
    await stranger.locator('#key').waitFor()
    await other.close()
  })

  it('works over http from another machine, where browsers have fewer functions', async () => {
    const { browser } = dashboard
    const other = await browser.newContext()
    const far = await other.newPage()
    await far.goto(`http://admin.test:${dashboard.plugboard.adminPort}/dashboard/doctor`)
    expect(await far.evaluate('isSecureContext')).toBe(false)
    await far.getByRole('button', { name: /^Copy npx/ }).click()
    await far.getByText('Copied').waitFor()
    await far.locator('#key').fill(await dashboard.plugboard.adminKey())
    await far.keyboard.press('Enter')
    await far.getByRole('button', { name: 'Copy report' }).click()
    await far.getByText('Copied').waitFor()
    await other.close()
  })

  it('loads at most 90 KB before the first page works', async () => {
    const { browser, context } = dashboard
    const fresh = await browser.newContext({ storageState: await context.storageState() })
    const first = await fresh.newPage()
    const sizes: Promise<number>[] = []
    first.on('requestfinished', request => {
      if (request.url().includes('/dashboard/'))
        sizes.push(request.sizes().then(size => size.responseBodySize))
    })
    await first.goto(urlOf('/dashboard/'))
    await first.getByRole('heading', { name: 'Overview' }).waitFor()
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    expect(bytes).toBeGreaterThan(20_000)
    expect(bytes).toBeLessThan(90_000)
    await fresh.close()
  })

  it('lets a newcomer add a route and find the reason of a 503, by keyboard', async () => {
    const { page, complaints } = dashboard
    await call('POST', '/v1/services', { name: 'shop' })
    await page.goto(urlOf('/dashboard/routes'))
    await page.getByRole('button', { name: 'Add a route' }).focus()
    await page.keyboard.press('Enter')
    await page.getByLabel('Mount').fill('bad mount')
    await page.keyboard.press('Tab')
    await page.keyboard.type('shop')
    await page.keyboard.press('Enter')
    await page.locator('#mount-error:not(:empty)').waitFor()
    await page.getByLabel('Mount').fill('shop.localhost')
    await page.keyboard.press('Enter')
    await page.getByRole('complementary', { name: 'Route' }).getByText('shop', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('complementary').waitFor({ state: 'detached' })

    const failed = await fetch(`http://127.0.0.1:${dashboard.plugboard.port}/cart`, {
      headers: { host: 'shop.localhost' },
    })
    // `fetch` sends its own Host, so the request is for 127.0.0.1.
    expect(failed.status).toBe(200)
    await page.goto(`http://shop.localhost:${dashboard.plugboard.port}/cart`)
    await page.goto(urlOf('/dashboard/traffic?view=failures'))
    const row = page.getByRole('row', { name: /shop\.localhost\/cart/ })
    await row.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'What to do' }).waitFor()
    expect(await page.getByRole('complementary').textContent()).toContain('no_telephone')
    complaints.length = 0
  })

  it('shows a change at once, and undoes the deletion of a route', async () => {
    const { page } = dashboard
    await page.goto(urlOf('/dashboard/routes?q=shop.localhost'))
    const row = page.getByRole('row', { name: /shop\.localhost/ })
    await row.waitFor()
    const { items } = (await (await call('GET', '/v1/routes?q=shop.localhost')).json()) as {
      items: { id: string; version: number }[]
    }
    await fetch(urlOf(`/v1/routes/${items[0]!.id}`), {
      method: 'DELETE',
      headers: {
        authorization: `Bearer ${await dashboard.plugboard.adminKey()}`,
        'if-match': `"${items[0]!.version}"`,
      },
    })
    await row.waitFor({ state: 'detached' })
    await page.goto(urlOf('/dashboard/changes'))
    await page.getByRole('row', { name: /deleted route shop\.localhost/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Undo…' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'What the undo changes' }).waitFor()
    await page.getByRole('button', { name: 'Undo this change' }).focus()
    await page.keyboard.press('Enter')
    await page.getByText('Undone: route shop.localhost deleted.').waitFor()
    expect((await call('GET', `/v1/routes/${items[0]!.id}`)).status).toBe(200)
  })

  it('issues a token with its command, and revokes it', async () => {
    const { page } = dashboard
    await page.goto(urlOf('/dashboard/access'))
    await page.getByRole('button', { name: 'Issue a token' }).click()
    await page.getByLabel('Name of the telephone').fill('web-1')
    await page.getByLabel('Services that it may serve').fill('shop')
    await page.keyboard.press('Enter')
    await page.getByText('The token is shown only once.').waitFor()
    await page.getByRole('tab', { name: 'Kubernetes' }).click()
    expect(await page.getByRole('dialog').textContent()).toContain(
      'kubectl create secret generic web-1-telephone',
    )
    await page.getByRole('button', { name: 'Done' }).click()
    const row = page.getByRole('row', { name: /web-1/ })
    await row.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await row.getByText('revoked').waitFor()
  })

  it('ends the session when its key is revoked', async () => {
    const { browser } = dashboard
    const made = await call('POST', '/v1/keys', { name: 'guest', scopes: ['status:read', 'routes:read'] })
    const { id, key, version } = (await made.json()) as { id: string; key: string; version: number }
    const guests = await browser.newContext()
    const guest = await guests.newPage()
    await guest.goto(urlOf('/dashboard/routes'))
    await guest.locator('#key').fill(key)
    await guest.keyboard.press('Enter')
    await guest.getByRole('heading', { name: 'Routes' }).waitFor()
    expect(await guest.getByRole('button', { name: 'Add a route' }).count()).toBe(0)
    await fetch(urlOf(`/v1/keys/${id}/revoke`), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await dashboard.plugboard.adminKey()}`,
        'if-match': `"${version}"`,
      },
    })
    await guest.getByText('Your session has ended. Log in again.').waitFor()
    await guests.close()
  })

  it.each(PAGES)(
    'shows %s in both themes and on a narrow screen, without a fault of accessibility',
    async name => {
      const { page } = dashboard
      const path = name === 'Overview' ? '/dashboard/' : `/dashboard/${name.toLowerCase()}`
      await page.goto(urlOf(path))
      await page.getByRole('heading', { name, level: 1 }).waitFor()
      await page.getByText('Loading…').first().waitFor({ state: 'detached' })
      await dashboard.checkPage()
    },
  )
})
