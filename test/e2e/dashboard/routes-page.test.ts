// The Routes page of the dashboard in a real browser: traffic of each route, the tester, the form and the YAML of one document, disabling
// a route, and the undo of a deletion.

import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import type { RouteBody } from '../../../plugboard/admin/api-types.ts'
import { send } from '../../support/http/http-client.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'
import type { PlugboardProcess } from '../../support/programs/plugboard-process.ts'

describe.skipIf(!hasChromium)('the Routes page', () => {
  const dashboard = useDashboard()
  let plugboard: PlugboardProcess
  let page: Page
  let shop: RouteBody

  const open = (path: string) => page.goto(dashboard.urlOf(`/dashboard${path}`))
  const row = () => page.getByRole('row', { name: /shop\.localhost/ })
  const stored = () => plugboard.call<RouteBody>('GET', `/v1/routes/${shop.id}`)
  const statusOf = async (host: string) => (await send({ port: plugboard.port, host })).status

  beforeAll(async () => {
    await dashboard.logIn()
    page = dashboard.page
    plugboard = dashboard.plugboard
    await plugboard.addService('shop')
    shop = await plugboard.call('POST', '/v1/routes', {
      mount: 'shop.localhost',
      service: 'shop',
      options: { access: { deny: ['192.0.2.1'] } },
    })
    await plugboard.call('POST', '/v1/routes', {
      mount: 'fixed.localhost',
      options: { respond: { status: 200 } },
    })
    await open('/routes')
    await row().waitFor()
  }, 60_000)

  it('shows requests and errors of each route, and opens its mount', async () => {
    for (let count = 0; count < 3; count += 1) expect(await statusOf('shop.localhost')).toBe(503)
    expect(await statusOf('fixed.localhost')).toBe(200)
    // The numbers of an interval arrive after its end, 10 s later at the latest.
    await row().getByText('100.0 %').waitFor({ timeout: 25_000 })
    const fixed = page.getByRole('row', { name: /fixed\.localhost/ })
    await fixed.getByText('0 %', { exact: true }).waitFor()
    const link = row().getByRole('link', { name: 'shop.localhost' })
    expect([await link.getAttribute('href'), await link.getAttribute('target')]).toEqual([
      `http://shop.localhost:${plugboard.port}/`,
      '_blank',
    ])
  })

  it('filters by rule and by state', async () => {
    await page.getByLabel('Rule').selectOption('respond')
    await row().waitFor({ state: 'detached' })
    await page.getByRole('row', { name: /fixed\.localhost/ }).waitFor()
    expect(page.url()).toContain('rule=respond')
    await page.getByLabel('Rule').selectOption('')
    await page.getByLabel('State').selectOption('claimed')
    await page.getByText('No route matches the filters').waitFor()
    await page.getByLabel('State').selectOption('')
    await row().waitFor()
  })

  it('tests a request with its method and header fields, and names near misses', async () => {
    await page.getByLabel('Which route takes this URL?').fill('shop.localhost/cart')
    const tester = page.getByRole('region', { name: 'Which route takes a request' })
    await tester.getByText('access.deny').waitFor()
    await tester.getByLabel('Method of the request').selectOption('POST')
    await tester.getByText('Header fields').click()
    await tester.getByLabel('Header fields of the request').fill('Authorization: Basic eA==')
    await page.keyboard.press('Tab')
    await tester.getByText('a URL must not contain a credential').waitFor()
    await tester.getByLabel('Header fields of the request').fill('')
    await page.keyboard.press('Tab')
    await page.getByLabel('Which route takes this URL?').fill('shop.localhos/cart')
    await tester.getByText('no route', { exact: true }).waitFor()
    await page.getByLabel('Which route takes this URL?').fill('')
  })

  it('edits one document as a form and as YAML, with the problems beside their fields', async () => {
    await row().focus()
    await page.keyboard.press('Enter')
    await page.getByRole('tab', { name: 'Edit' }).click()
    const allowed = page.getByLabel('Only these addresses, one in each line')
    await allowed.fill('10.0.0.0/8\nnonsense')
    await page.locator('#field-options-access-allow-error', { hasText: 'is not an address' }).waitFor()
    await page.getByRole('button', { name: 'YAML' }).click()
    const yaml = page.getByLabel('The route as YAML')
    expect(await yaml.inputValue()).toContain('- nonsense')
    await yaml.fill((await yaml.inputValue()).replace('- nonsense', '- 127.0.0.1 # this machine'))
    await page.getByRole('button', { name: 'Form' }).click()
    expect(await allowed.inputValue()).toBe('10.0.0.0/8\n127.0.0.1')
    await page.getByLabel('Refused addresses, one in each line').fill('')
    await page.getByRole('button', { name: 'YAML' }).click()
    expect(await yaml.inputValue()).toContain('# this machine')
    await page.getByText('Checked. You can save the change. Comments are not stored.').waitFor()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()
    expect((await stored()).options).toEqual({ access: { allow: ['10.0.0.0/8', '127.0.0.1'] } })
  })

  it('keeps the edits of a person when another one changes the route, and refuses to save them', async () => {
    await page.getByRole('button', { name: 'Form' }).click()
    const tenant = page.getByLabel('Header field for the part of the host that * matches')
    await tenant.fill('X-Tenant')
    await plugboard.api(
      'PATCH',
      `/v1/routes/${shop.id}`,
      { options: { allowHttp: true } },
      { 'if-match': '*' },
    )
    await page.getByText('This route has changed since you opened it.').waitFor()
    expect(await tenant.inputValue()).toBe('X-Tenant')
    await page.getByRole('button', { name: 'Discard' }).click()
    await expect.poll(() => page.getByLabel('Serve plain HTTP too').isChecked()).toBe(true)
  })

  it('disables and enables a route, and undoes its deletion', async () => {
    await page.getByRole('tab', { name: 'About' }).click()
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('button', { name: 'Enable' }).waitFor()
    const { status, body } = await send({ port: plugboard.port, host: 'shop.localhost' })
    expect([status, String(body)]).toEqual([503, 'This route is disabled.\n'])
    await page.getByRole('button', { name: 'Enable' }).click()
    await page.getByRole('button', { name: 'Disable' }).waitFor()
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row().waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).click()
    await row().waitFor()
    expect((await stored()).deletedAt).toBeNull()
    // The browser reports the responses to refused writes.
    expect(dashboard.complaints.filter(text => !/status of 4\d\d/.test(text))).toEqual([])
  })
})
