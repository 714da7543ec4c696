// The Doctor page of the dashboard, and the pages for a key that may only read the state.

import { describe, expect, it } from 'vitest'
import type { CreatedKeyBody } from '../../../plugboard/admin/api-types.ts'
import { takePictures } from '../../support/dashboard/dashboard-browser.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

const SECRETS = ['a cluster secret of the test', 'YmluZGluZy1rZXktb2YtdGhlLXRlc3Q'] as const

describe.skipIf(!hasChromium)('the Doctor page', () => {
  const dashboard = useDashboard({
    env: {
      PLUGBOARD_CLUSTER_SECRET: SECRETS[0],
      PLUGBOARD_ACME_BINDING_KEY_ID: 'binding',
      PLUGBOARD_ACME_BINDING_KEY: SECRETS[1],
    },
  })

  it('counts its findings in the navigation, and links to the page that corrects each one', async () => {
    await dashboard.logIn()
    const { page, plugboard } = dashboard
    await plugboard.call('POST', '/v1/services', { name: 'shop' })
    await plugboard.call('POST', '/v1/routes', { mount: 'shop.localhost', service: 'shop' })
    await page.goto(dashboard.urlOf('/dashboard/doctor'))
    const link = page.getByRole('link', { name: /Doctor \d+ checks failed or warn/ })
    await link.waitFor()
    const row = page.getByRole('listitem', { name: 'services.telephones' })
    await row.getByText('shop').first().waitFor()
    // The most harmful state is first.
    const states = await page.getByRole('list', { name: 'Checks' }).locator('.chip').allTextContents()
    const order = ['failed', 'warning', 'unknown', 'ok']
    expect(states).toEqual(states.toSorted((left, right) => order.indexOf(left) - order.indexOf(right)))
    await page
      .getByRole('listitem', { name: 'credentials.adminKeys' })
      .getByRole('button', { name: /^Copy plugboard key create/ })
      .waitFor()
    await takePictures(page, 'doctor')
    await dashboard.checkPage()
    await row.getByRole('link', { name: 'Services' }).click()
    await page.getByRole('heading', { name: 'Services' }).waitFor()
  })

  it('copies a report without the secrets of the settings', async () => {
    const { page, context } = dashboard
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.goto(dashboard.urlOf('/dashboard/doctor'))
    await page.getByRole('button', { name: 'Copy report' }).click()
    await page.getByText('Copied').waitFor()
    const report = await page.evaluate<string>('navigator.clipboard.readText()')
    expect(report).toContain('credentials.adminKeys')
    for (const secret of [...SECRETS, await dashboard.plugboard.adminKey()])
      expect(report).not.toContain(secret)
  })

  it('shows a key with status:read its pages without actions, and names the scope that others need', async () => {
    const { key } = await dashboard.plugboard.call<CreatedKeyBody>('POST', '/v1/keys', {
      ...{ name: 'watcher', scopes: ['status:read'] },
    })
    const guest = await dashboard.newPage(await dashboard.browser.newContext())
    await guest.goto(dashboard.urlOf('/dashboard/cluster'))
    await guest.locator('#key').fill(key)
    await guest.keyboard.press('Enter')
    // The log-in returns to the address that was opened.
    await guest.getByRole('heading', { name: 'Cluster' }).waitFor()
    await guest.getByRole('row', { name: /serves this page/ }).waitFor()
    await guest.goto(dashboard.urlOf('/dashboard/telephones'))
    await guest.getByRole('table', { name: 'Telephones' }).getByRole('row').nth(1).click()
    await guest.getByRole('region', { name: 'History' }).getByText('connected to').first().waitFor()
    expect(await guest.getByRole('button', { name: /Disconnect|Revoke/ }).count()).toBe(0)
    await guest.goto(dashboard.urlOf('/dashboard/access?new=token'))
    await guest.getByRole('alert').getByText('tokens:read').waitFor()
    expect(await guest.getByRole('dialog').count()).toBe(0)
    await guest.context().close()
  })
})
