// `npm run screenshots`: takes pictures of all pages of the dashboard with a busy cluster, in light and dark and on a narrow screen. They
// are for people who look at changes of the dashboard, so they are not part of the repository.

import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { CHROMIUM, launchChromium } from '../support/process/chromium.ts'
import { Company } from './company.ts'
import { PICTURES, type Picture } from './pictures.ts'

const HELP = `Usage: npm run screenshots -- [options]

  --out folder   the folder of the pictures (default: vera-screenshots in the folder for temporary files)
  --only text    only pictures whose name contains the text, such as services
  --help
`
const VARIANTS = [
  { name: 'light', colorScheme: 'light', width: 1280 },
  { name: 'dark', colorScheme: 'dark', width: 1280 },
  { name: 'narrow', colorScheme: 'light', width: 360 },
] as const
type Variant = (typeof VARIANTS)[number]
const HEIGHT = 900
/** A longer page is cut. */
const MAX_HEIGHT = 1500
/** The longest wait for a part of a page, ms. */
const PATIENCE_MS = 10_000

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(tmpdir(), 'vera-screenshots') },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
if (CHROMIUM === undefined) {
  console.error('Chromium is not installed. Install the package chromium, and run this command again.')
  process.exit(2)
}

const startedMs = performance.now()
execFileSync(process.execPath, [
  join(import.meta.dirname, '../../plugboard/dashboard/build.ts'),
  '--when-stale',
])
await mkdir(values.out, { recursive: true })
const company = new Company()
let browser: Browser | undefined
const problems: string[] = []
try {
  await company.start()
  console.log(`the cluster has traffic after ${seconds()} s`)
  browser = await launchChromium()
  const opened = browser
  // Each variant has a page of its own, because most of the time is waiting.
  await Promise.all(VARIANTS.map(variant => takeAll(opened, variant)))
} finally {
  await browser?.close()
  await company.stop()
}
for (const problem of problems) console.error(problem)
console.log(`pictures in ${values.out} after ${seconds()} s`)
process.exitCode = problems.length > 0 ? 1 : 0

function seconds(): number {
  return Math.round((performance.now() - startedMs) / 1000)
}

async function takeAll(from: Browser, variant: Variant): Promise<void> {
  const { colorScheme, width } = variant
  const context = await from.newContext({
    viewport: { width, height: HEIGHT },
    colorScheme,
    reducedMotion: 'reduce',
    baseURL: company.adminUrl,
  })
  context.setDefaultTimeout(PATIENCE_MS)
  if ('login'.includes(values.only)) await take(context, variant, { name: 'login', path: '/' })
  await logIn(context)
  for (const picture of PICTURES)
    if (picture.name.includes(values.only)) await take(context, variant, picture)
  await context.close()
}

async function logIn(context: BrowserContext): Promise<void> {
  const headers = { authorization: `Bearer ${await company.adminKey()}` }
  const response = await context.request.post('/v1/session', { headers })
  if (!response.ok()) throw new Error(`The log-in failed: ${response.status()} ${await response.text()}`)
}

async function take(
  context: BrowserContext,
  { name: variant, width }: Variant,
  { name, path, open }: Picture,
): Promise<void> {
  const page = await context.newPage()
  try {
    page.on('pageerror', error => problems.push(`${name}, ${variant}: ${error.message}`))
    await page.goto(`/dashboard${path}`)
    await page.locator('h1').first().waitFor()
    await untilLoaded(page)
    await open?.(page)
    await untilLoaded(page)
  } catch (error) {
    problems.push(`${name}, ${variant}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
  }
  // A picture of the full page would not stretch the parts that have the height of the window.
  const height = await page.evaluate<number>('document.documentElement.scrollHeight')
  await page.setViewportSize({ width, height: Math.min(Math.max(height, HEIGHT), MAX_HEIGHT) })
  await page.screenshot({ path: join(values.out, `${name}-${variant}.png`) })
  await page.close()
}

/** The event stream never ends, so a page is loaded when no part of it waits. */
async function untilLoaded(page: Page): Promise<void> {
  await page.waitForLoadState('load')
  await page.getByText('Loading…').first().waitFor({ state: 'detached' })
}
