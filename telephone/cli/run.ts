// `telephone http` and `telephone start`: a Telephone in the foreground until a signal, told about in status lines
// or in a log.

import { targetText } from '@vera-stack/shared/backend-target.ts'
import { createLog, type Log } from '@vera-stack/shared/log.ts'
import { type LoadedTelephoneConfig, telephoneOptions } from '../config.ts'
import type { TelephoneEvent } from '../events.ts'
import type { Service } from '../service-options.ts'
import { Telephone, type TelephoneOptions } from '../telephone.ts'
import { VERSION } from '../version.ts'
import { logEvent } from './log-lines.ts'
import { probeBackend } from './probe-backend.ts'
import { StatusLines } from './status-lines.ts'
import type { Terminal } from './terminal.ts'
import { untilStopped } from './until-stopped.ts'
import { marked } from './words.ts'

export interface RunOptions {
  readonly config: LoadedTelephoneConfig
  readonly terminal: Terminal
  /** `http`: a person waits for the outcome, so a service that is refused at once ends the program. */
  readonly personal: boolean
}

/** Resolves with the exit code when everything is closed. */
export async function run({ config, terminal, personal }: RunOptions): Promise<number> {
  const { logFormat, accessLog } = config.values
  const options = { ...telephoneOptions(config), reportExchanges: accessLog }
  const format = logFormat === 'auto' ? (personal || terminal.isTerminal ? 'status' : 'json') : logFormat
  const telephone = new Telephone(options)
  const log = format === 'status' ? undefined : openLog(format, config, telephone)
  telephone.subscribe(
    log === undefined ? statusLines(telephone, options, terminal) : event => logEvent(log, event),
  )
  for (const { source, detail } of config.warnings) {
    if (log === undefined) terminal.out(`${marked('warn', `${source}: ${detail}`, terminal.colours)}\n`)
    else log.warn('a file with a secret is open to other users', { detail: `${source}: ${detail}` })
  }
  try {
    telephone.start()
    if (personal && terminal.isTerminal) void warnAboutBackends(options.services, terminal)
    const ends = [untilStopped().then(() => 0)]
    if (personal) ends.push(untilRefused(telephone))
    const code = await Promise.race(ends)
    await telephone.close()
    return code
  } finally {
    await log?.close()
  }
}

function openLog(format: 'json' | 'text', { values }: LoadedTelephoneConfig, telephone: Telephone): Log {
  const log = createLog({ level: values.logLevel, format, fields: { telephoneId: telephone.name } })
  log.info('telephone starts', { version: VERSION, pid: process.pid, count: values.services?.length ?? 1 })
  return log
}

function statusLines(telephone: Telephone, options: TelephoneOptions, terminal: Terminal) {
  const targets = new Map(options.services.map(service => [service.service, describe(service)]))
  const { name } = telephone
  const tunnels = options.tunnels ?? 2
  const { out, colours } = terminal
  out(`telephone ${VERSION}, ${name}: ${options.plugboards.join(', ')}\n`)
  const lines = new StatusLines({
    out: line => out(`${line}\n`),
    colours,
    targets,
    tunnels,
    name,
    wallTime: Date.now,
  })
  return lines.show
}

/** Resolves when the very first judgement leaves nothing to serve; otherwise never. */
function untilRefused(telephone: Telephone): Promise<number> {
  return new Promise(resolve => {
    const unsubscribe = telephone.subscribe((event: TelephoneEvent) => {
      if (event.kind !== 'announced') return
      unsubscribe()
      if (!event.results.some(result => result.accepted)) resolve(1)
    })
  })
}

function describe({ target }: Service): string {
  return typeof target === 'function' ? 'a function' : targetText(target)
}

/** Said once, up front: nobody looks for the backend when the page says 502. Changes nothing about the start. */
async function warnAboutBackends(services: readonly Service[], { out, colours }: Terminal): Promise<void> {
  for (const service of services) {
    if (service.healthCheck !== undefined || (await probeBackend(service)) === undefined) continue
    const text = `nothing answers at ${describe(service)} yet: requests get a 502 until it does`
    out(`${marked('warn', text, colours)}\n`)
  }
}
