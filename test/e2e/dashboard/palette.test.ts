// The search over all pages in a real browser, by keyboard, with 3,000 routes.

import { beforeAll, describe, expect, it } from 'vitest'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

const ROUTES = 3_000

describe.skipIf(!hasChromium)('the search', () => {
  const dashboard = useDashboard()
  /** Opens the search, and types a text. */
  const search = async (text: string) => {
    const { page } = dashboard
    await page.keyboard.press('Control+k')
    const field = page.getByRole('combobox', { name: /^Page, route/ })
    await field.fill(text)
    return page.getByRole('listbox', { name: 'Results' }).getByRole('option')
  }

  beforeAll(async () => {
    await dashboard.logIn()
    const routes = Array.from({ length: ROUTES }, (_, index) => ({
      mount: `shop-${index}.example.com/orders`,
      service: 'shop',
    }))
    const services = [{ name: 'shop' }, { name: 'dev' }]
    await dashboard.plugboard.call('PUT', '/v1/bundle', { version: 1, services, routes })
  })

  it.each([
    ['shop-2718 orders', /^shop-2718\.example\.com\/orders route$/, /\/routes\/[0-9a-f-]{36}/],
    ['sho', /^shop service$/, /\/services\/shop$/],
    ['plugdevdev', /^plugboard-dev-dev telephone$/, /\/telephones\/plugboard-dev-dev$/],
    ['lmts', /^Limits page$/, /\/limits$/],
    ['api key', /^API keys access$/, /\/access\?tab=keys$/],
    ['01a23229-327f-7cd3-b877-ef3e601752a6', /explain this request$/, /\/traffic\/01a23229-/],
    ['https://shop-1.example.com/orders/2', /show its route$/, /\/routes\?url=https/],
  ] as const)('opens the place for "%s" by keyboard', async (text, name, url) => {
    const { page } = dashboard
    const options = await search(text)
    const option = options.filter({ hasText: name })
    await option.waitFor()
    const index = (await options.allTextContents()).findIndex(each => name.test(each))
    for (let step = 0; step < index; step += 1) await page.keyboard.press('ArrowDown')
    expect(await option.getAttribute('aria-selected')).toBe('true')
    const active = await page
      .getByRole('combobox', { name: /^Page, route/ })
      .getAttribute('aria-activedescendant')
    expect(active).toBe(await option.getAttribute('id'))
    await page.keyboard.press('Enter')
    await page.waitForURL(url)
    await page.getByRole('combobox', { name: /^Page, route/ }).waitFor({ state: 'detached' })
  })

  it('shows the last choices first, reports the number of results, and closes with Escape', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/doctor'))
    await page.getByRole('heading', { name: 'Doctor', level: 1 }).waitFor()
    await page.keyboard.press('/')
    const options = page.getByRole('listbox', { name: 'Results' }).getByRole('option')
    await options.filter({ hasText: 'show its route' }).first().waitFor()
    expect(await options.first().textContent()).toBe('https://shop-1.example.com/orders/2 show its route')
    await page.getByRole('combobox', { name: /^Page, route/ }).fill('no such thing')
    await page.getByText('No result.').waitFor()
    await page.getByRole('combobox', { name: /^Page, route/ }).fill('shop')
    await page.getByText(/^\d+ results\./).waitFor()
    dashboard.complaints.length = 0
    await dashboard.checkPage()
    await page.keyboard.press('Escape')
    await page.getByRole('combobox', { name: /^Page, route/ }).waitFor({ state: 'detached' })
  })
})
