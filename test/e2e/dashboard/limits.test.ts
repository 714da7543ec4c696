// The Limits page in a real browser, with requests that limits admit and reject.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DashboardBrowser } from '../../support/dashboard/dashboard-browser.ts'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import { useCluster } from '../../support/programs/cluster.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

describe.skipIf(!hasChromium)('the Limits page', () => {
  const dashboard = useDashboard()
  const ask = () => send({ port: dashboard.plugboard.port, host: '127.0.0.1', path: '/' })

  beforeAll(() => dashboard.logIn())

  it('names the command for the first limit', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/limits'))
    await page.getByText('No limit yet').waitFor()
    await page.getByText('plugboard service set web --limit per-client:100/1m').waitFor()
  })

  it('shows decisions as they happen, and opens a limit with its fullest keys', async () => {
    const { page, plugboard } = dashboard
    const rateLimits = [
      { name: 'each', limit: 2, windowSeconds: 3600 },
      { name: 'trial', limit: 1, windowSeconds: 3600, enforce: false },
    ]
    await plugboard.call('PATCH', '/v1/services/dev', { policy: { rateLimits } })
    await page.getByRole('row', { name: /^each dev 2 \/ 1 h 0 0/ }).waitFor()
    await eventually('the limit rejects', async () => ((await ask()).status === 429 ? true : undefined))
    await page.getByRole('row', { name: /^each dev 2 \/ 1 h 2 [1-9]\d* 0 1 [\d.]+ % used/ }).waitFor()
    await page.getByRole('row', { name: /^trial not enforced dev 1 \/ 1 h 1 0 [1-9]/ }).focus()
    await page.keyboard.press('Enter')
    const drawer = page.getByRole('complementary', { name: 'Limit' })
    await drawer.getByText('no: it counts, and rejects nothing').waitFor()
    await drawer.getByRole('row', { name: /^[0-9a-f]{14} [\d.]+ % used/ }).waitFor()
    await dashboard.checkPage()
    await page.reload()
    await drawer.getByRole('row', { name: /^[0-9a-f]{14} [\d.]+ % used/ }).waitFor()
    await page.keyboard.press('Escape')
  })

  it('filters by service, and shows why a filter finds nothing', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/limits?service=dev'))
    await page.getByRole('row', { name: /^each/ }).waitFor()
    await page.getByLabel('Service').fill('unknown')
    await page.getByRole('alert').getByText('There is no service "unknown".').waitFor()
    await page.getByLabel('Service').fill('dev')
    await page.getByRole('row', { name: /^each/ }).getByRole('link', { name: 'dev' }).click()
    await page.waitForURL(/\/dashboard\/services\/dev/)
    expect(dashboard.complaints.filter(text => !text.includes('404'))).toEqual([])
  })
})

describe.skipIf(!hasChromium)('the Limits page of two replicas', () => {
  const cluster = useCluster(2)
  let dashboard: DashboardBrowser

  beforeAll(async () => {
    await cluster.untilLinked()
    dashboard = await DashboardBrowser.open(cluster.places[0]!.adminPort)
    await dashboard.visit('/limits', await cluster.replicas[0]!.adminKey())
  }, 60_000)
  afterAll(() => dashboard?.close())

  it('shows the age of the counts that replicas share', async () => {
    const shares = dashboard.page.getByRole('table', { name: 'Shared counts of replicas' })
    for (const [one, other] of [
      [1, 2],
      [2, 1],
    ])
      await shares
        .getByRole('row', { name: new RegExp(`^replica-${one} replica-${other} shared [\\d.]+ m?s$`) })
        .waitFor()
    expect(await dashboard.faults()).toEqual([])
  })
})
