// The views of traffic in a real browser, with real requests: the live list with its filters, the explanation of a line, and the inspector.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'

/** The secret of a client, which no page may show. */
const SECRET = 'hunter-two-of-the-client'
const received: { method: string; url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = []
const backend = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const { method = '', url = '', headers } = request
  received.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
  if (url.startsWith('/fail')) {
    response.writeHead(500, { 'Content-Type': 'text/plain' }).end('out of paper')
    return
  }
  response.setHeader('Content-Type', 'application/json')
  response.end(`{"number":12345678901234567890,"count":${received.length}}`)
})
await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  backend.closeAllConnections()
  backend.close()
})

describe.skipIf(!hasChromium)('the traffic pages', () => {
  const dashboard = useDashboard({ args: ['--expose', String((backend.address() as AddressInfo).port)] })
  const ask = (
    path: string,
    more: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) => send({ port: dashboard.plugboard.port, host: '127.0.0.1', path, ...more })
  const open = (path: string) => dashboard.page.goto(dashboard.urlOf(path))

  beforeAll(() => dashboard.logIn())

  it('shows requests as they end, holds them while it is paused, and applies each filter', async () => {
    const { page } = dashboard
    await open('/dashboard/traffic')
    await page.getByText('Waiting for requests').waitFor()
    await ask('/first')
    await page.getByRole('row', { name: /\/first/ }).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await ask('/second')
    await page.getByText('1 request · 1 new').waitFor()
    expect(await page.getByRole('row', { name: /\/second/ }).count()).toBe(0)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('row', { name: /\/second/ }).waitFor()

    const replica =
      (await page
        .getByRole('row', { name: /\/first/ })
        .getByRole('cell')
        .last()
        .textContent()) ?? ''
    for (const [name, value, other] of [
      ['Status, such as 5xx,404', '2xx', { path: '/fail' }],
      ['Method', 'get', { path: '/other', method: 'POST' }],
      ['Path, such as /api', '/thi', { path: '/other' }],
      ['Service', 'dev', undefined],
      ['Telephone', 'plugboard-dev-dev', undefined],
      ['Replica', replica, undefined],
    ] as const) {
      await page.getByLabel(name).fill(value)
      const rows = page.getByRole('row', { name: /\/(?:third|fail|other)/ })
      await eventually(`the list with the filter ${name}`, async () => {
        // The stream opens soon after the filter has changed.
        if (other !== undefined) {
          const { path, ...more } = other
          await ask(path, more)
        }
        await ask('/third')
        const texts = await rows.allTextContents()
        return (texts.length > 0 && texts.every(text => text.includes('/third'))) || undefined
      })
      await page.getByRole('button', { name: 'Clear' }).click()
      await page.getByText('Waiting for requests').waitFor()
    }
    await page.getByLabel('Status, such as 5xx,404').fill('teapot')
    await page.getByRole('alert').getByText('is not a status').waitFor()
    dashboard.complaints.length = 0
  })

  it('opens the explanation of a failed line with its own address', async () => {
    const { page } = dashboard
    await open('/dashboard/traffic')
    await page.getByText('Waiting for requests').waitFor()
    await ask('/fail')
    await page.getByRole('row', { name: /\/fail/ }).focus()
    await page.keyboard.press('Enter')
    const drawer = page.getByRole('complementary', { name: 'Request' })
    await drawer.getByText('GET 127.0.0.1').waitFor()
    const address = page.url()
    expect(address).toMatch(/\/dashboard\/traffic\/[0-9a-f-]{36}$/)
    await page.goto(address)
    await drawer.getByRole('link', { name: 'dev' }).waitFor()
  })

  it('shows a request and its response with masked secrets, by type, and saves them', async () => {
    const { page } = dashboard
    await open('/dashboard/traffic')
    await page.getByRole('link', { name: 'Inspector' }).click()
    await page.getByRole('link', { name: 'dev' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
    await ask('/orders?page=2', {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ item: 'book', password: SECRET }),
    })
    await page.getByRole('row', { name: /POST \/orders/ }).focus()
    await page.keyboard.press('Enter')
    const drawer = page.getByRole('complementary', { name: 'Exchange' })
    await drawer.getByRole('region', { name: 'request body' }).getByText('"item": "book"').waitFor()
    expect(await drawer.locator('mark').count()).toBe(2)
    expect(await drawer.getByRole('region', { name: 'response body' }).textContent()).toContain(
      '"number": 12345678901234567890',
    )
    await drawer.getByLabel('View of the response body').getByRole('button', { name: 'hex' }).click()
    await drawer.getByText('7b 22 6e 75 6d 62').waitFor()
    expect(await drawer.textContent()).toContain('backend')
    expect(await page.content()).not.toContain(SECRET)

    await dashboard.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await drawer.getByRole('button', { name: 'Copy as curl' }).click()
    await page.getByText('Copied, without masked values.').waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain("--request 'POST'")
    const saving = page.waitForEvent('download')
    await drawer.getByRole('button', { name: 'Download HAR' }).click()
    const file = await (await saving).path()
    expect(JSON.parse(await readFile(file, 'utf8')).log.entries[0].response.status).toBe(200)
    await dashboard.checkPage()
  })

  it('replays an edited request after a confirmation, and compares the responses', async () => {
    const { page } = dashboard
    const drawer = page.getByRole('complementary', { name: 'Exchange' })
    const original = page.url()
    await drawer.getByRole('tab', { name: 'Replay' }).click()
    await page.reload()
    await drawer.getByLabel('Path and query').fill('/orders?page=3')
    const fields = drawer.getByLabel('Fields, one in each line')
    await fields.fill(
      `${(await fields.inputValue()).replace(/authorization:.*/i, 'authorization: Bearer given')}\nx-note: again`,
    )
    await drawer.getByLabel('Telephone').selectOption('plugboard-dev-dev')
    await dashboard.checkPage()
    received.length = 0
    await drawer.getByRole('button', { name: 'Replay' }).click()
    await page.getByRole('dialog', { name: 'Send POST again?' }).waitFor()
    expect(received).toEqual([])
    await page.getByRole('button', { name: 'Send again' }).click()
    const result = drawer.getByRole('region', { name: 'Result of the replay' })
    await result.getByText('Left out, because they are masked: /password.').waitFor()
    await result.getByText('/count').waitFor()
    expect(received).toMatchObject([
      {
        method: 'POST',
        url: '/orders?page=3',
        headers: { authorization: 'Bearer given', 'x-note': 'again' },
        body: '{"item":"book"}',
      },
    ])
    await result.getByRole('link', { name: 'Open the new exchange' }).click()
    await drawer.getByText('replay', { exact: true }).waitFor()
    expect(page.url()).not.toBe(original)
    await drawer.getByRole('tab', { name: 'Compare' }).click()
    await drawer.getByRole('region', { name: 'Differences of the responses' }).getByText('/count').waitFor()
    await dashboard.checkPage()
  })

  it('turns the inspector off, and on again for a time', async () => {
    const { page } = dashboard
    await open('/dashboard/traffic/inspector')
    const row = page.getByRole('row', { name: /dev/ })
    await row.getByRole('button', { name: 'Turn off' }).click()
    await row.getByText('off', { exact: true }).waitFor()
    await row.getByLabel('Duration of the capture of dev').selectOption('15 min')
    await row.getByRole('button', { name: 'Turn on' }).click()
    await row.getByText(/on, 1[45] min left/).waitFor()
    const { body } = await dashboard.plugboard.api('GET', '/v1/services/dev')
    const { policy } = JSON.parse(body.toString()) as { policy: { inspect: { until: string } } }
    expect(Date.parse(policy.inspect.until) - Date.now()).toBeLessThan(900_001)
    await dashboard.checkPage()
  })
})
