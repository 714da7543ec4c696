// The pictures: each page, and what opens on it.

import type { Page } from 'playwright-core'

export interface Picture {
  readonly name: string
  /** The path below /dashboard. */
  readonly path: string
  /** Opens a drawer, a dialog or a tab. */
  readonly open?: (page: Page) => Promise<unknown>
}

const button = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click()
const row = (name: RegExp) => (page: Page) =>
  page
    .getByRole('row', { name })
    .first()
    .click({ position: { x: 20, y: 10 } })
const tab = (drawer: RegExp, name: string) => async (page: Page) => {
  await row(drawer)(page)
  await page.getByRole('tab', { name }).click()
}

export const PICTURES: readonly Picture[] = [
  { name: 'overview', path: '/' },
  { name: 'overview-change', path: '/', open: page => page.locator('.list button.link').first().click() },
  { name: 'search', path: '/', open: page => page.keyboard.press('/') },
  { name: 'routes', path: '/routes' },
  { name: 'routes-drawer', path: '/routes', open: row(/api\.example\.com/) },
  { name: 'routes-new', path: '/routes', open: button('Add a route') },
  { name: 'routes-empty', path: '/routes?q=no-such-route' },
  { name: 'services', path: '/services' },
  { name: 'services-processes', path: '/services/checkout' },
  { name: 'services-traffic', path: '/services', open: tab(/^checkout/, 'Traffic') },
  { name: 'services-policy', path: '/services', open: tab(/^checkout/, 'Policy') },
  { name: 'services-unserved', path: '/services/warehouse-scanner' },
  { name: 'telephones', path: '/telephones' },
  { name: 'telephones-drawer', path: '/telephones/iad-web-2' },
  { name: 'traffic', path: '/traffic' },
  { name: 'traffic-failures', path: '/traffic?view=failures' },
  { name: 'traffic-explanation', path: '/traffic?view=failures', open: row(/erp\.example\.com|503|502/) },
  { name: 'changes', path: '/changes' },
  { name: 'changes-dialog', path: '/changes', open: row(/updated\s*service\s*payments/) },
  { name: 'limits', path: '/limits' },
  { name: 'cluster', path: '/cluster' },
  { name: 'access', path: '/access' },
  { name: 'access-new-token', path: '/access', open: button('Issue a token') },
  { name: 'doctor', path: '/doctor' },
  { name: 'not-found', path: '/no-such-page' },
]
