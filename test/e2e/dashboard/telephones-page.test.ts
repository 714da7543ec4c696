// The Telephones page of the dashboard with two replicas and real telephones.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DashboardBrowser } from '../../support/dashboard/dashboard-browser.ts'
import { CHROMIUM } from '../../support/process/chromium.ts'
import { useCluster } from '../../support/programs/cluster.ts'
import type { TelephoneProcess } from '../../support/programs/telephone-process.ts'

describe.skipIf(!CHROMIUM)('the Telephones page', () => {
  const cluster = useCluster(2)
  let dashboard: DashboardBrowser
  let telephone: TelephoneProcess

  beforeAll(async () => {
    await cluster.untilLinked()
    dashboard = await DashboardBrowser.open(cluster.places[0]!.adminPort)
    await dashboard.visit('/telephones', await cluster.replicas[0]!.adminKey())
    await dashboard.page.getByRole('heading', { name: 'No telephone is connected' }).waitFor()
  }, 60_000)
  afterAll(() => dashboard?.close())

  const row = (name: string) => dashboard.page.getByRole('row', { name: new RegExp(name) })
  const drawer = () => dashboard.page.getByRole('complementary', { name: 'Telephone' })

  it('shows a telephone that connects to another replica, without a reload', async () => {
    telephone = await cluster.startTelephone(1, { args: ['--name', 'shop-1'] })
    await row('shop-1').getByText('app').waitFor()
    for (const text of ['replica-1: 1', 'replica-2: 1']) await row('shop-1').getByText(text).waitFor()
    await row('shop-1').getByText('29 d').waitFor()
    await dashboard.picture('telephones')
    expect(await dashboard.faults()).toEqual([])
  })

  it('closes the tunnels on all replicas by keyboard, and shows the reason in the history', async () => {
    const { page } = dashboard
    await row('shop-1').focus()
    await page.keyboard.press('Enter')
    await drawer().getByText('connected to').first().waitFor()
    await drawer().getByRole('button', { name: 'Disconnect' }).press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).press('Enter')
    await page.getByText('shop-1 disconnected.').waitFor()
    const reason = drawer().getByText('A person closed this tunnel with the API key "')
    await reason.nth(1).waitFor()
    await telephone.child.waitForLine(/closed as planned \(A person closed this tunnel with the API key "/)
    // It connects again by itself.
    await drawer().getByRole('region', { name: 'Tunnel on replica-2' }).waitFor()
    await row('shop-1').getByText('2 × planned').waitFor()
    await dashboard.picture('telephone-drawer')
    expect(await dashboard.faults()).toEqual([])
  })

  it('revokes the token, and keeps the history of the telephone', async () => {
    const { page } = dashboard
    telephone.child.expectedToExit = true
    await drawer().getByRole('button', { name: 'Revoke its token' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke its token' }).click()
    await drawer().getByText('This telephone is not connected.').waitFor()
    await drawer().getByText('the token was revoked').first().waitFor()
    await page.getByRole('heading', { name: 'No telephone is connected' }).waitFor()
    expect(dashboard.complaints).toEqual([])
  })
})
