// The Access page of the dashboard: what a token or a key permits, in words, and the steps of a rotation.

import { beforeAll, describe, expect, it } from 'vitest'
import { takePictures } from '../../support/dashboard/dashboard-browser.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

describe.skipIf(!hasChromium)('the Access page', () => {
  const dashboard = useDashboard()

  beforeAll(() => dashboard.logIn(), 60_000)

  it('shows what a token permits and its problems while a person types, and then the texts for it', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/access?new=token'))
    const dialog = page.getByRole('dialog')
    await dialog.getByText('it can serve no service').waitFor()
    await dialog.getByLabel('Name of the telephone').fill('web-1')
    await dialog.getByLabel('Services that it may serve').fill('web shop-*')
    await dialog.getByText('the service "web" and each service whose name begins with "shop-"').waitFor()
    await dialog.getByLabel('Mounts that it may claim').fill('bad mount!')
    // Nothing was sent: the dry run finds the problem.
    await dialog.locator('#mounts-error:not(:empty)').waitFor()
    await dialog.getByLabel('Mounts that it may claim').fill('web.localhost')
    await dialog.locator('#mounts-error:empty').waitFor({ state: 'attached' })
    dashboard.complaints.length = 0
    await takePictures(page, 'new-token')
    await dashboard.checkPage()
    await page.keyboard.press('Enter')
    await dialog.getByText('The token is shown only once.').waitFor()
    for (const name of ['systemd', 'Compose', 'Kubernetes', 'Library']) {
      await dialog.getByRole('tab', { name }).click()
      await takePictures(page, `token-${name}`)
    }
    await dashboard.checkPage()
    await dialog.getByRole('button', { name: 'Done' }).click()
    await page
      .getByRole('row', { name: /web-1/ })
      .getByText(/^(30|29) d$/)
      .waitFor()
    expect(page.url()).not.toContain('new=')
  })

  it('describes each scope of a key, and shows when it expires', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/access?tab=keys&new=key'))
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('watcher')
    await dialog.getByLabel(/traffic:read read requests/).check()
    await dialog.getByLabel(/Lifetime/).fill('7d')
    await takePictures(page, 'new-key')
    await dashboard.checkPage()
    await dialog.getByRole('button', { name: 'Create' }).click()
    await dialog.getByRole('button', { name: 'Done' }).click()
    const row = page.getByRole('row', { name: /watcher/ })
    await row.getByText('status:read traffic:read').waitFor()
    await row.getByText(String(new Date(Date.now() + 7 * 86_400_000).getFullYear())).waitFor()
    await page
      .getByRole('row', { name: /this session/ })
      .getByText('never')
      .first()
      .waitFor()
    await dashboard.checkPage()
  })

  it('explains the rotation of signing keys', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/access?tab=signing'))
    await page.getByRole('region', { name: 'Rotation' }).getByText('Remove the old key').waitFor()
    await page.getByRole('button', { name: 'Rotate' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click()
    await page.getByText('verifies only').waitFor()
    await takePictures(page, 'signing-keys')
    await dashboard.checkPage()
  })
})
