// The dashboard in a real browser: the log-in, the errors that the browser reports, and the checks that each page must pass.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { CHROMIUM, launchChromium } from '../process/chromium.ts'

const ROOT = join(import.meta.dirname, '../../..')

if (!CHROMIUM) console.log('no Chromium on this machine: the dashboard is not tested')

/** The looks in which each page is checked. */
const LOOKS = [
  ['light', 1280],
  ['dark', 360],
] as const

/** Builds the dashboard if its sources are newer than the last build. */
export async function buildDashboard(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'plugboard/dashboard/build.ts'), '--when-stale'])
}

/** Collects the errors that the browser reports: errors of scripts, and violations of the content security policy. */
export function collectComplaints(page: Page, complaints: string[]): void {
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(error.message))
}

/** Resolves with the faults of accessibility and layout of a page, in both themes and on a narrow screen. */
export async function pageFaults(page: Page): Promise<string[]> {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const session = await page.context().newCDPSession(page)
  // The policy of the page forbids foreign scripts, so axe is run by the debugger protocol.
  await session.send('Runtime.evaluate', { expression: axe })
  const found: string[] = []
  for (const [colorScheme, width] of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.setViewportSize({ width, height: 800 })
    const { result } = await session.send('Runtime.evaluate', {
      expression: 'axe.run(document, { resultTypes: ["violations"] })',
      awaitPromise: true,
      returnByValue: true,
    })
    const { violations } = result.value as AxeResults
    for (const { id, nodes } of violations)
      found.push(`${colorScheme}: ${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join('\n')}`)
    const root = 'document.documentElement'
    const excess = await page.evaluate<number>(`${root}.scrollWidth - ${root}.clientWidth`)
    if (excess !== 0) found.push(`${width} px: the page is ${excess} px too wide`)
  }
  await session.detach()
  await page.setViewportSize({ width: 1280, height: 800 })
  return found
}

/** Takes pictures of a page into the folder of VERA_PICTURES, for developers. Without the variable, does nothing. */
export async function takePictures(page: Page, name: string): Promise<void> {
  const folder = process.env.VERA_PICTURES
  if (folder === undefined) return
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 360]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true })
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 })
}

/** A browser with one page, for a Plugboard that the test has started. programs/dashboard.ts also starts a Plugboard. */
export class DashboardBrowser {
  readonly complaints: string[] = []
  readonly browser: Browser
  readonly context: BrowserContext
  readonly page: Page
  readonly #adminPort: number

  private constructor(browser: Browser, context: BrowserContext, page: Page, adminPort: number) {
    this.browser = browser
    this.context = context
    this.page = page
    this.#adminPort = adminPort
    collectComplaints(page, this.complaints)
  }

  /** Builds the dashboard if its sources are newer, and opens an empty page. */
  static async open(adminPort: number): Promise<DashboardBrowser> {
    await buildDashboard()
    const browser = await launchChromium()
    const context = await browser.newContext()
    return new DashboardBrowser(browser, context, await context.newPage(), adminPort)
  }

  close(): Promise<void> {
    return this.browser.close()
  }

  urlOf(path: string): string {
    return `http://127.0.0.1:${this.#adminPort}${path}`
  }

  /** Opens a path below /dashboard, and logs in when the page asks for a key. */
  async visit(path: string, key: string): Promise<void> {
    const { page } = this
    await page.goto(this.urlOf(`/dashboard${path}`))
    const field = page.locator('#key')
    await field.or(page.locator('.frame')).first().waitFor()
    if ((await field.count()) === 0) return
    await field.fill(key)
    await page.keyboard.press('Enter')
    await page.locator('.frame').waitFor()
    // The browser reports the 401 of a page without a session as an error.
    this.complaints.length = 0
  }

  faults(): Promise<string[]> {
    return pageFaults(this.page)
  }

  picture(name: string): Promise<void> {
    return takePictures(this.page, name)
  }
}
