// The dashboard of a `plugboard dev` in a real browser. Tests that use it are skipped, with the reason, when Chromium is not installed.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { buildDashboard, collectComplaints, pageFaults } from '../dashboard/dashboard-browser.ts'
import { CHROMIUM, launchChromium } from '../process/chromium.ts'
import { removeFolder, temporaryFolder } from '../process/folder.ts'
import { Processes } from '../process/processes.ts'
import { type PlugboardOptions, PlugboardProcess } from './plugboard-process.ts'

export const hasChromium = CHROMIUM !== undefined

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
    await buildDashboard()
    this.#folder = await temporaryFolder()
    this.plugboard = await PlugboardProcess.start({
      processes: this.processes,
      folder: this.#folder,
      command: 'dev',
      ...(args === undefined ? {} : { args }),
      env: { PLUGBOARD_ADMIN_HOSTS: 'admin.test', ...env },
    })
    this.browser = await launchChromium(['--host-resolver-rules=MAP admin.test 127.0.0.1'])
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
    collectComplaints(opened, this.complaints)
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
    // The browser reports the 401 of the first request for the session.
    this.complaints.length = 0
  }

  /** Checks the page in both themes and on a narrow screen: axe, the width, and the errors that the browser reports. */
  async checkPage(): Promise<void> {
    expect(await pageFaults(this.page)).toEqual([])
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
