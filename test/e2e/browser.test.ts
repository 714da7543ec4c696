// A real browser on the welcome page and on the admin port. Skipped, with the reason, when Chromium is not
// installed.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM, launchChromium } from '../support/process/chromium.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { Processes } from '../support/process/processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'

if (!CHROMIUM) console.log('no Chromium on this machine: the browser tests are skipped')

describe.skipIf(!CHROMIUM)('a browser', () => {
  const processes = new Processes()
  let folder: string
  let plugboard: PlugboardProcess
  let browser: Browser

  beforeAll(async () => {
    folder = await temporaryFolder()
    plugboard = await PlugboardProcess.start({ processes, folder, command: 'dev' })
    await plugboard.child.waitForLine(new RegExp(`http://localhost:${plugboard.port}`))
    browser = await launchChromium()
  })

  afterAll(async () => {
    await browser?.close()
    await processes.stopAll()
    await removeFolder(folder)
  })

  it('shows the next command on the dashboard, until the first request arrives', async () => {
    const tab = await browser.newPage()
    const [link] = await plugboard.child.waitForLine(/http:\S+\/dashboard\/#code=\S+/)
    await tab.goto(link)
    await tab.getByRole('heading', { name: 'Waiting for the first request' }).waitFor()
    const command = `npx --no telephone http 3000 --mount app.localhost --plugboard http://localhost:${plugboard.port}`
    await tab.getByRole('button', { name: `Copy ${command}` }).waitFor()
    await tab.getByRole('link', { name: 'API reference' }).waitFor()
    await fetch(`http://localhost:${plugboard.port}/`)
    await tab.getByRole('heading', { name: 'Waiting for the first request' }).waitFor({ state: 'detached' })
    await tab.reload()
    await tab.getByRole('heading', { name: 'Needs attention' }).waitFor()
    await tab.close()
  })

  it('shows the welcome page without errors', async () => {
    const tab = await browser.newPage()
    const complaints: string[] = []
    tab.on('console', message => complaints.push(message.text()))
    tab.on('pageerror', error => complaints.push(error.message))
    const response = await tab.goto(`http://localhost:${plugboard.port}/`)
    expect(response?.status()).toBe(200)
    expect(await tab.title()).toContain('It works')
    expect(await tab.locator('h1').textContent()).toBe('It works.')
    expect(await tab.getByText('Telephone').first().isVisible()).toBe(true)
    expect(complaints).toEqual([])
    await tab.close()
  })

  it('shows an HTML page when the host has no route', async () => {
    const tab = await browser.newPage()
    const response = await tab.goto(`http://nothing-here.localhost:${plugboard.port}/`)
    expect(response?.status()).toBe(404)
    expect(response?.headers()['content-type']).toContain('text/html')
    expect(await tab.locator('body').textContent()).toContain('route_not_found')
    await tab.close()
  })

  it('opens the dashboard at the root of the admin port', async () => {
    const tab = await browser.newPage()
    await tab.goto(`http://127.0.0.1:${plugboard.adminPort}/?from=chat`)
    expect(new URL(tab.url()).pathname + new URL(tab.url()).search).toBe('/dashboard/?from=chat')
    await tab.locator('#key').waitFor()
    await tab.close()
  })

  it('shows the reference of the admin API, authorizes with a key and sends a request', async () => {
    const tab = await browser.newPage()
    const complaints: string[] = []
    tab.on('console', message => complaints.push(message.text()))
    tab.on('pageerror', error => complaints.push(error.message))
    await tab.goto(`http://127.0.0.1:${plugboard.adminPort}/reference`)
    await tab.locator('.scheme-container .authorize').click()
    await tab.getByLabel('auth-bearer-value').fill(await plugboard.adminKey())
    await tab.locator('.modal-ux .authorize').first().click()
    await tab.locator('.modal-ux .btn-done').first().click()
    await tab.locator('#operations-tag-status').click()
    await tab.locator('#operations-status-listReplicas .opblock-summary-control').click()
    await tab.getByRole('button', { name: 'Execute' }).click()
    const response = tab.locator('.live-responses-table tbody .response-col_status')
    expect((await response.textContent())?.trim()).toBe('200')
    expect(complaints).toEqual([])
    await tab.close()
  })
})
