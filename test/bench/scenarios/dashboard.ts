// The dashboard in Chromium, against a Plugboard with 100,000 routes: the size of the first load, the main thread of the page with live
// rows, the time until a new telephone is on the screen, the longest pause while a person scrolls and searches, and the CPU time that a
// viewer costs Plugboard.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { silentLogger } from '@vera-stack/shared/log.ts'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { migrateDatabase } from '../../../plugboard/database/migration/migrate.ts'
import { connect } from '../../../telephone/index.ts'
import { CHROMIUM, launchChromium } from '../../support/process/chromium.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import { cpuMicroseconds } from '../figures/cost.ts'
import {
  interleaved,
  type Measurement,
  type OwnScenarioContext,
  type Values,
} from '../figures/measurement.ts'
import { median, rounded } from '../figures/statistics.ts'
import { programOf } from '../program.ts'
import { runClient } from '../run-client.ts'
import { writeRoutes } from './lists.ts'

const HOST = 'responds.localhost'
const SERVICE = 'service-0'
const TELEPHONES = 20
const LIVE_ROWS = 300
const LIVE_UPDATES_PER_SECOND = 20
const VIEWED_REQUESTS_PER_SECOND = 500
/** A round of CPU time is longer than in other scenarios, because a viewer costs little. */
const LENGTH = 5
const SCROLLS = 60
const SEARCHES = ['host-9', 'host-99', 'host-999', 'service-7', 'example', 'host-5', 'host-51', '']
const DASHBOARD = join(import.meta.dirname, '../../../plugboard/dashboard/build.ts')

interface Parts extends OwnScenarioContext {
  readonly plugboard: PlugboardProcess
  readonly browser: Browser
  /** Has the session of the dashboard. */
  readonly viewer: BrowserContext
}

export async function measureDashboard(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, folder } = context
  if (CHROMIUM === undefined) throw new Error('The scenario "dashboard" needs Chromium. Install it.')
  await promisify(execFile)(process.execPath, [DASHBOARD, '--when-stale'])
  const log = silentLogger
  const postgres = await EmbeddedPostgres.start({ folder: join(folder, 'postgres'), durable: false, log })
  let browser: Browser | undefined
  try {
    await migrateDatabase({ url: postgres.url })
    await writeRoutes(postgres.url)
    const program = programOf('plugboard', options.source)
    const args = ['--no-access-log']
    const common = { processes, folder, databaseUrl: postgres.url, args }
    const plugboard = await PlugboardProcess.start({ ...common, ...program })
    const respond = { status: 200, body: 'x', headers: { 'x-backend': '0' } }
    await plugboard.call('POST', '/v1/routes', { mount: HOST, options: { respond } })
    browser = await launchChromium()
    const viewer = await browser.newContext()
    const parts: Parts = { ...context, plugboard, browser, viewer }
    await logIn(parts)
    return [
      single('first load', await measureFirstLoad(parts)),
      single('new telephone on the screen', await measureTelephones(parts)),
      single('scroll and search, 100,000 routes', await measurePauses(parts)),
      single(`${LIVE_ROWS} rows, ${LIVE_UPDATES_PER_SECOND} updates/s`, await measureLiveRows(parts)),
      ...(await measureViewer(parts)),
    ]
  } finally {
    await browser?.close()
    await postgres.stop()
  }
}

function single(target: string, measured: Values): Measurement {
  const values = Object.fromEntries(Object.entries(measured).map(([name, value]) => [name, rounded(value)]))
  return { scenario: 'dashboard', target, values, rounds: [measured] }
}

const urlOf = ({ plugboard }: Parts, path: string): string =>
  `http://127.0.0.1:${plugboard.adminPort}/dashboard${path}`

async function logIn(parts: Parts): Promise<void> {
  const page = await parts.viewer.newPage()
  await page.goto(urlOf(parts, '/'))
  await page.locator('#key').fill(await parts.plugboard.adminKey())
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await page.close()
}

async function openPage(parts: Parts, path: string, heading: string): Promise<Page> {
  const page = await parts.viewer.newPage()
  await page.goto(urlOf(parts, path))
  await page.getByRole('heading', { name: heading, level: 1 }).waitFor()
  return page
}

/** The bytes of all responses until the first page shows its heading. */
async function measureFirstLoad({ browser, viewer, ...parts }: Parts): Promise<Values> {
  // A fresh context has an empty cache.
  const fresh = await browser.newContext({ storageState: await viewer.storageState() })
  const page = await fresh.newPage()
  const sizes: Promise<number>[] = []
  page.on('requestfinished', request => {
    if (new URL(request.url()).pathname.startsWith('/dashboard/'))
      sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize))
  })
  await page.goto(urlOf({ ...parts, browser, viewer }, '/'))
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  await fresh.close()
  return { firstLoadKB: bytes / 1000 }
}

/** The time from the open tunnel of the library to the frame that shows the name of the telephone. */
async function measureTelephones(parts: Parts): Promise<Values> {
  const { plugboard, say } = parts
  const { token } = await plugboard.issueToken({ services: ['*'] })
  const page = await openPage(parts, '/telephones', 'Telephones')
  const times: number[] = []
  for (let index = 0; index < TELEPHONES; index += 1) {
    say(`dashboard: telephone ${index + 1} of ${TELEPHONES}`)
    const name = `bench-${index}`
    const shown = page.getByText(name, { exact: true }).waitFor()
    const target = (): Response => new Response('x')
    const telephone = await connect({ plugboard: plugboard.url, token, service: SERVICE, name, target })
    const connectedAt = performance.now()
    await shown
    times.push(performance.now() - connectedAt)
    await telephone.close()
  }
  await page.close()
  return { medianMs: median(times), worstMs: Math.max(...times) }
}

interface TraceEvent {
  readonly name: string
  readonly tid: number
  readonly args: { readonly name?: string }
  /** Wall-clock time and CPU time, µs. */
  readonly dur?: number
  readonly tdur?: number
}

/** Returns the tasks of the main threads of pages. */
function mainTasksOf(trace: Buffer): readonly TraceEvent[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: readonly TraceEvent[] }
  const main = new Set(
    traceEvents.flatMap(({ name, args, tid }) =>
      name === 'thread_name' && args.name === 'CrRendererMain' ? [tid] : [],
    ),
  )
  return traceEvents.filter(({ name, tid }) => name.endsWith('RunTask') && main.has(tid))
}

/** The longest task while a person scrolls and searches. On a busy machine, its CPU time is the better figure. */
async function measurePauses(parts: Parts): Promise<Values> {
  const page = await openPage(parts, '/routes', 'Routes')
  await page.getByRole('row').nth(20).waitFor()
  const box = page.getByRole('region', { name: 'Routes' })
  const bounds = await box.boundingBox()
  if (bounds === null) throw new Error('The table of routes is not on the screen.')
  await page.mouse.move(bounds.x + bounds.width / 2, bounds.y + bounds.height / 2)
  const { browser } = parts
  await browser.startTracing(page, { categories: ['toplevel', '__metadata', 'devtools.timeline'] })
  for (let scroll = 0; scroll < SCROLLS; scroll += 1) {
    await page.mouse.wheel(0, 2500)
    await page.evaluate('new Promise(done => requestAnimationFrame(done))')
  }
  const rows = Number(await page.getByRole('table', { name: 'Routes' }).getAttribute('aria-rowcount'))
  const search = page.getByRole('searchbox', { name: 'Search', exact: true })
  for (const text of SEARCHES) {
    await search.fill('')
    await search.pressSequentially(text, { delay: 40 })
    const isDone = (response: { url: () => string }) => response.url().includes(`q=${text}`)
    if (text !== '') await page.waitForResponse(isDone)
  }
  const tasks = mainTasksOf(await browser.stopTracing())
  await page.close()
  const longest = (field: 'dur' | 'tdur') => Math.max(...tasks.map(task => (task[field] ?? 0) / 1000))
  return { longestTaskMs: longest('dur'), longestTaskCpuMs: longest('tdur'), rowsLoaded: rows }
}

/** The live log of requests: it keeps its newest rows, and each request moves all of them. */
async function measureLiveRows(parts: Parts): Promise<Values> {
  const page = await openPage(parts, '/traffic', 'Traffic')
  const seconds = Math.ceil(parts.options.seconds * LENGTH)
  const load = (perSecond: number, forSeconds: number) => sendRequests(parts, perSecond, forSeconds, 0)
  await load(LIVE_ROWS, 2)
  const session = await page.context().newCDPSession(page)
  // CPU time, because it excludes other processes.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const before = await taskSecondsOf(session)
  await load(LIVE_UPDATES_PER_SECOND, seconds)
  const used = (await taskSecondsOf(session)) - before
  await page.close()
  return { mainThreadCpuMsPerSecond: (used / seconds) * 1000 }
}

/** Resolves with the time that the main thread has worked so far, s. */
async function taskSecondsOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN
}

/** The CPU time of Plugboard under the same load with the page closed, open on two pages, and closed again. */
async function measureViewer(parts: Parts): Promise<Measurement[]> {
  const { options, plugboard, say } = parts
  const seconds = Math.ceil(options.seconds * LENGTH)
  const cases = { closed: undefined, 'closed again': undefined, Overview: '/', Routes: '/routes' } as const
  let seed = 0
  const rows = await interleaved(
    { targets: new Map(Object.entries(cases)), say },
    'a viewer',
    options.rounds,
    async (path, name) => {
      const page = path === undefined ? undefined : await openPage(parts, path, name)
      seed += 1
      await sendRequests(parts, VIEWED_REQUESTS_PER_SECOND, 1, seed)
      const before = cpuMicroseconds([plugboard.child.pid])
      await sendRequests(parts, VIEWED_REQUESTS_PER_SECOND, seconds, seed)
      const used = cpuMicroseconds([plugboard.child.pid]) - before
      await page?.close()
      return { cpuPercent: used / (seconds * 10_000) }
    },
  )
  const base = rows.find(({ target }) => target === 'closed')?.rounds ?? []
  return rows.map(row => {
    const added = row.rounds.map(({ cpuPercent = 0 }, round) => cpuPercent - (base[round]?.cpuPercent ?? 0))
    return { ...row, values: { ...row.values, addedPercent: rounded(median(added)) } }
  })
}

async function sendRequests(
  { processes, plugboard }: Parts,
  perSecond: number,
  seconds: number,
  seed: number,
): Promise<void> {
  const { port } = plugboard
  const job = { kind: 'arrivals', port, host: HOST, perSecond, backends: 1, seed, seconds } as const
  await runClient(processes, { ...job, warmUpSeconds: 0 })
}
