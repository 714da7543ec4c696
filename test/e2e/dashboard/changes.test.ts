// The change log in a real browser: filters, the address of one change, and the undo with its dry run.

import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RouteBody } from '../../../plugboard/admin/api-types.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

describe.skipIf(!hasChromium)('the Changes page', () => {
  const dashboard = useDashboard()
  const open = (path: string) => dashboard.page.goto(dashboard.urlOf(path))
  let route: RouteBody
  const setRule = async (allowHttp: boolean) => {
    route = await dashboard.plugboard.call<RouteBody>('PATCH', `/v1/routes/${route.id}`, {
      options: { allowHttp },
    })
  }

  beforeAll(async () => {
    await dashboard.logIn()
    await dashboard.plugboard.call('POST', '/v1/services', { name: 'shop' })
    route = await dashboard.plugboard.call<RouteBody>('POST', '/v1/routes', {
      mount: 'shop.localhost',
      service: 'shop',
    })
    await setRule(true)
  })
  afterEach(() => expect(dashboard.complaints.filter(text => !text.includes('412'))).toEqual([]))

  it('filters by kind, action and route, and keeps the filters in the address', async () => {
    const { page } = dashboard
    await open('/dashboard/changes')
    await page.getByLabel('Kind of row').selectOption('service')
    await page.getByRole('row', { name: /created service shop/ }).waitFor()
    await page.getByRole('row', { name: /route/ }).waitFor({ state: 'detached' })
    await page.getByLabel('Kind of row').selectOption('all kinds')
    await page.getByLabel('Action').selectOption('updated')
    await page.getByLabel('Route: mount or id').fill('shop.localhost')
    await page.waitForURL(/action=updated&route=shop.localhost/)
    await page.getByRole('row', { name: /updated route shop\.localhost/ }).waitFor()
    await page.reload()
    await page.getByRole('row', { name: /updated route shop\.localhost/ }).waitFor()
    expect(await page.getByRole('row').count()).toBe(2)
    await page.getByLabel('Action').selectOption('purged')
    await page.getByText('No change matches the filters').waitFor()
    await dashboard.checkPage()
  })

  it('shows a new change at once, and opens it with its own address', async () => {
    const { page } = dashboard
    await open('/dashboard/changes?action=updated&entity=route')
    await page.getByRole('row', { name: /shop\.localhost/ }).waitFor()
    await setRule(false)
    const row = page.getByRole('row', { name: /shop\.localhost/ })
    await row.nth(1).waitFor()
    await row.first().focus()
    await page.keyboard.press('Enter')
    const drawer = page.getByRole('complementary', { name: 'Change' })
    await drawer.getByText('+ options.allowHttp: false').waitFor()
    const address = page.url()
    expect(address).toMatch(/\/changes\/\d+\?/)
    await page.goto(address.replace(/\?.*/, ''))
    await drawer.getByText('- options.allowHttp: true').waitFor()
    await drawer.getByRole('link', { name: 'shop.localhost' }).waitFor()
    await dashboard.checkPage()
    await open('/dashboard/changes/999999')
    await drawer.getByText('The log has no change 999999.').waitFor()
  })

  it('shows the conflict of one undo, and undoes all changes back to it after a dry run', async () => {
    const { page } = dashboard
    await open('/dashboard/changes?action=updated&entity=route')
    await page
      .getByRole('row', { name: /shop\.localhost/ })
      .last()
      .click()
    const drawer = page.getByRole('complementary', { name: 'Change' })
    await drawer.getByRole('button', { name: 'Undo…' }).click()
    await drawer.getByText('true after this change, false now').waitFor()
    const read = () => dashboard.plugboard.call<RouteBody>('GET', `/v1/routes/${route.id}`)

    await drawer.getByRole('button', { name: 'Undo to here…' }).click()
    const preview = drawer.getByRole('region', { name: 'What the undo changes' })
    await preview.getByText('The undo makes').waitFor()
    await preview.getByText('- options.allowHttp: false').waitFor()
    expect((await read()).version).toBe(route.version)
    dashboard.complaints.length = 0
    await dashboard.checkPage()
    await drawer.getByRole('button', { name: 'Undo all of them' }).click()
    await page.getByText(/^Undone/).waitFor()
    expect((await read()).options).toEqual({})
  })
})
