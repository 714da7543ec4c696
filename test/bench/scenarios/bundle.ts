// `PUT /v1/bundle` and `plugboard import` with many routes: the total time, the time under the lock of the change log, and the
// longest delay of Plugboard's event loop. Each round creates all routes, sends them again, changes all of them, and deletes them.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import type { Measurement, OwnScenarioContext, Values } from '../figures/measurement.ts'
import { median, rounded } from '../figures/statistics.ts'
import { programOf } from '../program.ts'

const SERVICES = 1000

export async function measureBundle({
  processes,
  options,
  folder,
  say,
}: OwnScenarioContext): Promise<Measurement[]> {
  const { routes: count, rounds } = options
  const preload = pathToFileURL(join(import.meta.dirname, '../event-loop-delay.ts')).href
  const plugboard = await PlugboardProcess.start({
    processes,
    folder,
    args: ['--no-access-log'],
    env: { NODE_OPTIONS: `--import ${preload}` },
    ...programOf('plugboard', options.source),
  })
  const steps: readonly (readonly [name: string, query: string, bundle: object])[] = [
    ['new', '', bundleOf(count, {})],
    ['equal', '', bundleOf(count, {})],
    ['changed', '', bundleOf(count, { stripMount: true })],
    ['deleted', '?prune=true', { version: 1, services: [], routes: [] }],
  ]
  const results = new Map<string, Values[]>()
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, query, bundle] of steps) {
      say(`bundle: ${name}, round ${round} of ${rounds}`)
      const values = await putBundle(plugboard, query, bundle)
      results.set(name, [...(results.get(name) ?? []), values])
    }
  }
  say('bundle: plugboard import')
  const file = join(folder, 'routes.json')
  await writeFile(file, JSON.stringify(bundleOf(count, {})))
  const began = performance.now()
  const { code, output } = await plugboard.cli('import', file, '--json')
  if (code !== 0) throw new Error(`plugboard import failed: ${output.slice(0, 1000)}`)
  results.set('plugboard import', [{ totalMs: performance.now() - began }])
  return [...results].map(([target, all]) => ({
    scenario: `bundle of ${count.toLocaleString('en-US')} routes`,
    target,
    values: medians(all),
    rounds: all,
  }))
}

function bundleOf(count: number, options: object): object {
  const services = Array.from({ length: Math.min(SERVICES, count) }, (_, index) => ({
    name: `service-${index}`,
  }))
  const routes = Array.from({ length: count }, (_, index) => ({
    mount: `tenant-${index}.example.com/api/v${index % 7}`,
    service: `service-${index % services.length}`,
    options,
  }))
  return { version: 1, services, routes }
}

async function putBundle(plugboard: PlugboardProcess, query: string, bundle: object): Promise<Values> {
  const body = gzipSync(JSON.stringify(bundle), { level: 1 })
  await delayOf(plugboard)
  const began = performance.now()
  const response = await fetch(`http://127.0.0.1:${plugboard.adminPort}/v1/bundle${query}`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${await plugboard.adminKey()}`,
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    },
    body,
  })
  const text = await response.text()
  const totalMs = performance.now() - began
  if (response.status !== 200) throw new Error(`PUT /v1/bundle: ${response.status} ${text.slice(0, 1000)}`)
  return { totalMs, ...timesOf(response), eventLoopMaxMs: await delayOf(plugboard) }
}

/** Returns the phases of the field Server-Timing. A phase that did not run has the time 0. */
function timesOf({ headers }: Response): Values {
  const field = headers.get('server-timing') ?? ''
  const phases = ['read', 'compare', 'write', 'lock']
  return Object.fromEntries(
    phases.map(phase => [`${phase}Ms`, Number(new RegExp(`${phase};dur=([\\d.]+)`).exec(field)?.[1] ?? 0)]),
  )
}

/** Resolves with the longest delay of the event loop since the call before, ms. */
async function delayOf({ child }: PlugboardProcess): Promise<number> {
  const from = child.lines.length
  const line = child.waitForLine(/event loop delay at most ([\d.]+) ms/, { from })
  child.signal('SIGUSR2')
  return Number((await line)[1])
}

function medians(all: readonly Values[]): Values {
  const names = Object.keys(all[0] ?? {})
  return Object.fromEntries(names.map(name => [name, rounded(median(all.map(values => values[name]!)))]))
}
