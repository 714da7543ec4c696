// The dashboard of a `plugboard dev` in a real browser. Tests that use it are skipped, with the reason, when Chromium is not installed.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AxeResults } from 'axe-core'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { findProgram } from '../process/find-program.ts'
import { removeFolder, temporaryFolder } from '../process/folder.ts'
import { Processes } from '../process/processes.ts'
import { type PlugboardOptions, PlugboardProcess } from './plugboard-process.ts'

const ROOT = join(import.meta.dirname, '../../..')
const executablePath =
  findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome')
if (!executablePath) console.log('no Chromium on this machine: the dashboard is not tested')

export const hasChromium = executablePath !== undefined

export class Dashboard {
  readonly processes = new Processes()
  plugboard!: PlugboardProcess
  browser!: Browser
  context!: BrowserContext
  /** A page that is not logged in at first. */
  page!: Page
  /** The errors of scripts and the violations of the content security policy in all pages. */
  readonly complaints: string[] = []
  #folder: string | undefined

  async start({ args, env }: Pick<PlugboardOptions, 'args' | 'env'>): Promise<void> {
    await promisify(execFile)(process.execPath, [join(ROOT, 'plugboard/dashboard/build.ts'), '--when-stale'])
    this.#folder = await temporaryFolder()
    this.plugboard = await PlugboardProcess.start({
      processes: this.processes,
      folder: this.#folder,
      command: 'dev',
      ...(args === undefined ? {} : { args }),
      env: { PLUGBOARD_ADMIN_HOSTS: 'admin.test', ...env },
    })
    this.browser = await chromium.launch({
      executablePath: executablePath!,
      // Root cannot use the sandbox of Chromium, and the page is our own.
      args: ['--no-sandbox', '--host-resolver-rules=MAP admin.test 127.0.0.1'],
    })
    this.context = await this.browser.newContext()
    this.page = await this.newPage(this.context)
  }

  async stop(): Promise<void> {
    await this.browser?.close()
    await this.processes.stopAll()
    if (this.#folder !== undefined) await removeFolder(this.#folder)
  }

  async newPage(context: BrowserContext): Promise<Page> {
    const opened = await context.newPage()
    opened.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text())
    })
    opened.on('pageerror', error => this.complaints.push(error.message))
    return opened
  }

  /** `path`: on the admin port, such as `/dashboard/routes`. */
  urlOf(path: string): string {
    return `http://127.0.0.1:${this.plugboard.adminPort}${path}`
  }

  /** Logs the page in with the link that `plugboard dev` prints. The link works once. */
  async logIn(): Promise<void> {
    const [link] = await this.plugboard.child.waitForLine(/http:\S+\/dashboard\/#code=\S+/)
    await this.page.goto(link)
    await this.page.getByRole('heading', { name: 'Overview' }).waitFor()
    // The browser reports the 401 of the first look for a session.
    this.complaints.length = 0
  }

  /** Checks the page in both themes and on a narrow screen: axe, the width, and the complaints of the browser. */
  async checkPage(): Promise<void> {
    const { page } = this
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    // The policy of the page forbids scripts of strangers, so the debugger brings this one.
    const session = await this.context.newCDPSession(page)
    await session.send('Runtime.evaluate', { expression: axe })
    const root = 'document.documentElement'
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
      expect(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`), `${width} px`).toBe(0)
    }
    await session.detach()
    await page.setViewportSize({ width: 1280, height: 800 })
    expect(this.complaints).toEqual([])
  }
}

/** Returns a dashboard that starts before the tests of the calling block, and stops after them. */
export function useDashboard(options: Pick<PlugboardOptions, 'args' | 'env'> = {}): Dashboard {
  const dashboard = new Dashboard()
  beforeAll(() => dashboard.start(options), 60_000)
  afterAll(() => dashboard.stop())
  return dashboard
}
