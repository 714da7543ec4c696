// `telephone http --inspect`: the page and the JSON of a Telephone's own exchanges, with real processes and a real browser. The tests of the
// page are skipped, with the reason, when Chromium is not installed.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import type { AxeResults } from 'axe-core'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { CHROMIUM, launchChromium } from '../support/process/chromium.ts'
import { findProgram } from '../support/process/find-program.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, useStack } from '../support/programs/stack.ts'

if (!CHROMIUM) console.log('no Chromium on this machine: the page of --inspect is not tested')

const port = await freePort()
const stack = useStack({ telephoneArgs: ['--inspect', `127.0.0.1:${port}`] })
const ORIGIN = `http://127.0.0.1:${port}`

const ask = (path: string, headers: Record<string, string> = {}, method = 'GET', body?: string) =>
  send({
    port,
    host: headers.host ?? `127.0.0.1:${port}`,
    path,
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  })
const jsonOf = async (path: string) => JSON.parse((await ask(path)).text)
/** Sends a request through Plugboard. Resolves with its exchange in the inspector of the Telephone. */
async function inspected(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  await send({ port: stack.port, host: HOST, path, ...options })
  const plain = path.split('?')[0]
  const { id } = await eventually(`the exchange of ${path} is listed`, async () => {
    const { items } = await jsonOf('/v1/exchanges')
    return items.find((each: { request: { path: string } }) => each.request.path === plain)
  })
  return await jsonOf(`/v1/exchanges/${id}`)
}

describe('the inspector of a Telephone', () => {
  it('lists exchanges with masked secrets', async () => {
    const exchange = await inspected('/echo?token=abcdef123456&a=1', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer abcdef123456' },
      body: '{"id":9007199254740993,"password":"hunter2"}',
    })
    const text = JSON.stringify(exchange)
    expect(text).not.toContain('abcdef123456')
    expect(text).not.toContain('hunter2')
    expect(exchange).toMatchObject({
      serviceId: 'app',
      request: { method: 'POST', path: '/echo', status: 200, host: HOST },
      received: { target: expect.stringMatching(/^\/echo\?token=\*\*\*[0-9a-f]{6}&a=1$/) },
      sent: { status: 200 },
    })
  })

  it('exports an exchange as HAR and as a curl command', async () => {
    const { id } = await inspected('/export?q=1')
    const har = await ask(`/v1/exchanges/${id}?format=har`)
    expect(har.headers['content-disposition']).toContain('.har')
    expect(JSON.parse(har.text).log).toMatchObject({
      version: '1.2',
      entries: [{ request: { method: 'GET' } }],
    })
    expect((await ask(`/v1/exchanges/${id}?format=curl`)).text).toContain('/export?q=1')
  })

  it.skipIf(findProgram('curl') === undefined)(
    'has a curl command that sends the same request once more through Plugboard',
    async () => {
      const target = '/echo?ids[]=[1-3]'
      const { id } = await inspected(target, { headers: { 'x-empty': '' } })
      const command = (await ask(`/v1/exchanges/${id}?format=curl`)).text.trimEnd()
      const way = `--connect-to ::127.0.0.1:${stack.port} --silent --write-out '%{http_code}'`
      const before = (await jsonOf('/v1/exchanges')).items.length
      const { stdout } = await promisify(execFile)('bash', ['-c', `${command} ${way}`])
      expect(stdout).toMatch(/200$/)
      const items = await eventually('the pasted request is listed', async () => {
        const list = (await jsonOf('/v1/exchanges')).items
        return list.length > before ? list : undefined
      })
      expect(items).toHaveLength(before + 1)
      const { received } = await jsonOf(`/v1/exchanges/${items[0].id}`)
      expect(received.target).toBe(target)
      expect(received.fields).toContainEqual(['x-empty', ''])
    },
  )

  it('sends an exchange to the backend again, with edits', async () => {
    const { id } = await inspected('/again', { method: 'PUT', headers: { 'x-a': '1' }, body: 'first' })
    const { status, text } = await ask(
      `/v1/exchanges/${id}/replay`,
      {},
      'POST',
      JSON.stringify({ target: '/again/edited', fields: { 'x-a': '2' }, body: 'second' }),
    )
    expect(status).toBe(200)
    const { exchange } = JSON.parse(text)
    expect(exchange).toMatchObject({
      replayOf: id,
      request: { path: '/again/edited' },
      received: { body: { text: 'second' } },
    })
    expect(exchange.received.fields).toContainEqual(['x-a', '2'])
    expect(exchange.received.fields).toContainEqual(['Plugboard-Replay', id])
    expect((await ask('/v1/exchanges/none/replay', {}, 'POST')).status).toBe(404)
    expect((await ask(`/v1/exchanges/${id}/replay`, {}, 'POST', '{"other":1}')).status).toBe(400)
    const refused = await ask(`/v1/exchanges/${id}/replay`, {}, 'POST', '{"fields":{"Host":"x"}}')
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('frames the request')])
  })

  it('refuses requests of other web pages and of foreign host names', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { host: 'localhost.evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://evil.example' },
      { origin: `http://localhost:${port}` },
      { origin: 'null' },
    ] as Record<string, string>[])
      for (const method of ['GET', 'POST'])
        expect((await ask('/v1/exchanges', headers, method)).status, JSON.stringify(headers)).toBe(403)
    for (const headers of [
      { host: `localhost:${port}` },
      { origin: ORIGIN, 'sec-fetch-site': 'same-origin' },
    ] as Record<string, string>[])
      expect((await ask('/v1/exchanges', headers)).status).toBe(200)
    const { headers } = await ask('/')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(headers['content-security-policy']).not.toContain('unsafe')
  })
})

describe.skipIf(!CHROMIUM)('the page of the inspector', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  it('shows a new request, its parts, and the result of a replay, by keyboard', async () => {
    const tab = await browser.newPage()
    const complaints: string[] = []
    tab.on('console', message => complaints.push(message.text()))
    await tab.goto(ORIGIN)
    await send({ port: stack.port, host: HOST, path: '/from-the-browser' })
    const link = tab.getByRole('link', { name: '/from-the-browser' })
    await link.waitFor()
    await tab.getByRole('link', { name: 'Pause' }).click()
    await link.focus()
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'GET /from-the-browser' }).waitFor()
    await tab.getByText('curl ').first().waitFor()
    await tab.getByRole('button', { name: 'Send again' }).focus()
    await tab.keyboard.press('Enter')
    await tab.getByText('A replay of this exchange.').waitFor()
    expect(complaints).toEqual([])
    await tab.close()
  })

  it.each(['light', 'dark'] as const)('has no fault of axe in %s, and fits 360 px', async colorScheme => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 360, height: 700 },
      bypassCSP: true,
    })
    const tab = await context.newPage()
    const { id } = await inspected('/axe', {
      method: 'POST',
      body: 'a=1&pin=2',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    for (const path of ['/?paused', `/exchanges/${id}`, '/exchanges/none']) {
      await tab.goto(ORIGIN + path)
      await tab.evaluate(axe)
      const { violations } = await tab.evaluate<AxeResults>('axe.run()')
      expect(violations.map(({ id: rule, nodes }) => [rule, nodes[0]?.html])).toEqual([])
      const root = 'document.documentElement'
      expect(await tab.evaluate(`${root}.scrollWidth > ${root}.clientWidth`)).toBe(false)
      if (process.env.SCREENSHOTS !== undefined)
        await tab.screenshot({
          path: `${process.env.SCREENSHOTS}/inspect-${colorScheme}-${path.length}.png`,
          fullPage: true,
        })
    }
    await context.close()
  })
})
