// The elements of the dashboard in pages of other origins, in a real browser: live data, the states without a usable key, a strict
// content security policy, and accessibility. Skipped, with the reason, when Chromium is not installed.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { CHROMIUM, launchChromium } from '../../support/process/chromium.ts'
import { removeFolder, temporaryFolder } from '../../support/process/folder.ts'
import { freePort } from '../../support/process/free-port.ts'
import { Processes } from '../../support/process/processes.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'

const ROOT = join(import.meta.dirname, '../../..')
if (!CHROMIUM) console.log('no Chromium on this machine: the elements are not tested')

/** The server of an embedding page. Its script reads a key from `/key` when an element asks for one. */
class EmbeddingSite {
  readonly origin: string
  /** The key of the next response of `/key`. */
  nextKey: () => Promise<string> = () => Promise.reject(new Error('no key'))
  keysSent = 0
  readonly #server: Server

  private constructor(server: Server, origin: string) {
    this.#server = server
    this.origin = origin
  }

  static async listen(port: number, adminUrl: string): Promise<EmbeddingSite> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    const { port: actual } = server.address() as AddressInfo
    const site = new EmbeddingSite(server, `http://127.0.0.1:${actual}`)
    const policy = `default-src 'none'; script-src 'self' ${adminUrl}; connect-src 'self' ${adminUrl}; require-trusted-types-for 'script'; trusted-types 'none'`
    server.on('request', async (request, response) => {
      if (request.url === '/key') {
        site.keysSent += 1
        const key = await site.nextKey().catch(() => '')
        response.writeHead(key === '' ? 500 : 200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ key }))
      } else if (request.url === '/page.js') {
        response.writeHead(200, { 'content-type': 'text/javascript' })
        response.end(PAGE_SCRIPT)
      } else {
        response.writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policy,
        })
        response.end(pageOf(adminUrl))
      }
    })
    return site
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

const pageOf = (adminUrl: string): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Portal</title>
<link rel="icon" href="data:,">
<script type="module" src="/page.js"></script>
<script type="module" src="${adminUrl}/dashboard/elements.js"></script></head>
<body><main><h1>Portal</h1>
<plugboard-overview></plugboard-overview>
<plugboard-services></plugboard-services>
<plugboard-telephones></plugboard-telephones>
<plugboard-cluster></plugboard-cluster>
</main></body></html>`

const PAGE_SCRIPT = `
globalThis.errors = []
globalThis.violations = []
document.addEventListener('securitypolicyviolation', event => violations.push(event.violatedDirective + ' ' + event.blockedURI))
document.addEventListener('plugboard-error', event => errors.push({ from: event.target.localName, ...event.detail }))
const token = async () => {
  const response = await fetch('/key')
  if (!response.ok) throw new Error('the portal has no key')
  return (await response.json()).key
}
for (const name of ['overview', 'services', 'telephones', 'cluster']) document.querySelector('plugboard-' + name).token = token
`

interface SentError {
  readonly from: string
  readonly state: string
  readonly status: number
  readonly message: string
}

describe.skipIf(!CHROMIUM)('the elements in a page of another origin', () => {
  const processes = new Processes()
  let folder: string
  let plugboard: PlugboardProcess
  let browser: Browser
  let page: Page
  let listed: EmbeddingSite
  let other: EmbeddingSite

  const errors = async (): Promise<SentError[]> => await page.evaluate('errors')
  const element = (name: string) => page.locator(`plugboard-${name}`)
  const makeKey = async (scopes: readonly string[], ttl = '10m'): Promise<string> =>
    (await plugboard.call<{ key: string }>('POST', '/v1/keys', { name: 'portal', scopes, ttl })).key
  const stateOf = async (name: string): Promise<string> =>
    await page.evaluate(`document.querySelector('plugboard-${name}').state`)
  // The policy of the page forbids `waitForFunction`, which compiles its text in the page.
  const until = (what: string, isTrue: () => Promise<boolean>) =>
    eventually(what, async () => (await isTrue()) || undefined, 25_000)
  const untilState = (name: string, state: string) =>
    until(`${name} is ${state}`, async () => (await stateOf(name)) === state)

  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [join(ROOT, 'plugboard/dashboard/build.ts'), '--when-stale'])
    folder = await temporaryFolder()
    const [adminPort, port] = [await freePort(), await freePort()]
    const adminUrl = `http://127.0.0.1:${adminPort}`
    listed = await EmbeddingSite.listen(port, adminUrl)
    other = await EmbeddingSite.listen(0, adminUrl)
    const env = { PLUGBOARD_DASHBOARD_ORIGINS: listed.origin }
    plugboard = await PlugboardProcess.start({ processes, folder, command: 'dev', adminPort, env })
    browser = await launchChromium()
    page = await browser.newPage()
    listed.nextKey = () => makeKey(['status:read'])
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    listed?.close()
    other?.close()
    await processes.stopAll()
    await removeFolder(folder)
  })

  it('shows live data in each element, over one connection, without a violation of the policy', async () => {
    const streams: string[] = []
    page.on('request', request => {
      if (request.url().includes('/v1/live')) streams.push(request.url())
    })
    await page.goto(listed.origin)
    for (const name of ['overview', 'services', 'telephones', 'cluster']) await untilState(name, 'live')
    await element('cluster').getByText('ready').waitFor()
    await element('telephones').getByText('plugboard-dev-dev').first().waitFor()
    await element('services')
      .getByRole('row', { name: /dev\s*served/ })
      .waitFor()
    const rate = () => element('overview').locator('[part=figures] > span').first().textContent()
    expect(await rate()).toBe('0/s')
    for (let sent = 0; sent < 30; sent += 1) await fetch(plugboard.url)
    await until('the requests are counted', async () => (await rate()) !== '0/s')
    await element('services')
      .getByRole('row', { name: /dev.*[1-9][\d.]*\/s/ })
      .waitFor()
    await plugboard.addService('shop')
    await plugboard.addRoute('shop.localhost', 'shop')
    await element('services')
      .getByRole('row', { name: /shop\s*never connected/ })
      .waitFor()
    expect(await page.evaluate('violations')).toEqual([])
    expect(await errors()).toEqual([])
    // The stream is opened again when the services are known, and when there is a new one.
    expect(streams.length).toBeLessThanOrEqual(4)
    expect(listed.keysSent).toBe(1)
  })

  it('has no fault of accessibility, follows the colour scheme, and fits on a narrow screen', async () => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const session = await page.context().newCDPSession(page)
    await session.send('Runtime.evaluate', { expression: axe })
    const colors: unknown[] = []
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 360],
    ] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize({ width, height: 800 })
      const { result } = await session.send('Runtime.evaluate', {
        expression: 'axe.run(document, { resultTypes: ["violations"] })',
        awaitPromise: true,
        returnByValue: true,
      })
      const { violations } = result.value as AxeResults
      const found = violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join('\n')}`,
      )
      expect(found, `${colorScheme}, ${width} px`).toEqual([])
      const root = 'document.documentElement'
      expect(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`), `${width} px`).toBe(0)
      colors.push(await page.evaluate(`getComputedStyle(document.querySelector('plugboard-cluster')).color`))
    }
    expect(colors[0]).not.toBe(colors[1])
    await session.detach()
  })

  it('closes its connection while the page is hidden, and when the elements leave the page', async () => {
    await page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: true, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
    await untilState('overview', 'paused')
    await page.evaluate(`
      delete document.hidden
      document.dispatchEvent(new Event('visibilitychange'))`)
    await untilState('overview', 'live')
    const ended = page.waitForEvent('requestfailed', request => request.url().includes('/v1/live'))
    await page.evaluate(`document.querySelector('main').replaceChildren()`)
    await ended
  })

  it('asks for another key when its key has been revoked', async () => {
    await page.goto(listed.origin)
    await untilState('cluster', 'live')
    const sent = listed.keysSent
    const { items } = await plugboard.call<{ items: { id: string; name: string; state: string }[] }>(
      'GET',
      '/v1/keys',
    )
    for (const { id, name, state } of items)
      if (name === 'portal' && state === 'active') await plugboard.call('POST', `/v1/keys/${id}/revoke`)
    await until('the page has sent another key', () => Promise.resolve(listed.keysSent === sent + 1))
    await untilState('cluster', 'live')
    expect(await errors()).toEqual([])
  })

  it('shows why a key is refused, and why a key is missing', async () => {
    listed.nextKey = () => makeKey(['status:read', 'routes:write'])
    await page.goto(listed.origin)
    await untilState('overview', 'refused')
    await element('overview').getByText('The API key has the scope routes:write').first().waitFor()
    expect(await errors()).toContainEqual(
      expect.objectContaining({ from: 'plugboard-overview', state: 'refused', status: 403 }),
    )
    listed.nextKey = () => Promise.reject(new Error('none'))
    await page.goto(listed.origin)
    await element('cluster')
      .getByText('The property token of this element failed: the portal has no key')
      .waitFor()
    await page.evaluate(`document.querySelector('plugboard-cluster').token = undefined`)
    await element('cluster').getByText('Set its property token to a function that returns one.').waitFor()
    listed.nextKey = () => makeKey(['status:read'])
  })

  it('gives neither the script nor data to a page of an origin that is not listed', async () => {
    const key = await makeKey(['status:read'])
    other.nextKey = () => Promise.resolve(key)
    const script = '/dashboard/elements.js'
    const blocked = page.waitForEvent('requestfailed', request => request.url().endsWith(script))
    await page.goto(other.origin)
    await blocked
    const statusFor = async (origin: string) =>
      (await plugboard.api('GET', script, undefined, { origin })).status
    expect([await statusFor(other.origin), await statusFor(listed.origin)]).toEqual([403, 200])
    expect(await page.evaluate(`customElements.get('plugboard-overview') === undefined`)).toBe(true)
    const url = `http://127.0.0.1:${plugboard.adminPort}/v1/status`
    const attempt = `fetch(${JSON.stringify(url)}, { headers: { authorization: 'Bearer ${key}' } }).then(() => 'read', () => 'blocked')`
    expect(await page.evaluate(attempt)).toBe('blocked')
    await page.goto(listed.origin)
    expect(await page.evaluate(attempt)).toBe('read')
  })

  it('shows that Plugboard cannot be reached, and is live again after its restart', async () => {
    await untilState('cluster', 'live')
    await plugboard.child.stop()
    await untilState('cluster', 'unreachable')
    await element('cluster').getByText('Plugboard cannot be reached').waitFor()
    const { port, adminPort } = plugboard
    const env = { PLUGBOARD_DASHBOARD_ORIGINS: listed.origin }
    plugboard = await PlugboardProcess.start({ processes, folder, command: 'dev', port, adminPort, env })
    await untilState('cluster', 'live')
    await element('cluster').getByText('Plugboard cannot be reached').waitFor({ state: 'detached' })
  })
})
