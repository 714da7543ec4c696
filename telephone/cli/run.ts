// `telephone http` and `telephone start`: run a Telephone in the foreground until a signal, with status lines or a log. `http`
// also ends, with exit code 1, when only a person can correct the cause of a refusal. `start` logs the refusal and retries,
// because the token file may change, and a restart of the process would not help.

import { systemClock } from '@vera-stack/shared/clock.ts'
import { createLog, type Log, type Logger } from '@vera-stack/shared/log.ts'
import { targetText } from '@vera-stack/shared/net/backend-target.ts'
import { metricsReceiver, tracesReceiver } from '@vera-stack/shared/otlp/otlp-settings.ts'
import { collectBodyMemory, releaseMemory } from '@vera-stack/shared/process/body-memory.ts'
import {
  type LocalStatus,
  SCOPE_VARIABLE,
  serveLocalStatus,
} from '@vera-stack/shared/process/local-status.ts'
import { keepTickShape } from '@vera-stack/shared/process/tick-shape.ts'
import { type LoadedTelephoneConfig, type TelephoneConfig, telephoneOptions } from '../config.ts'
import type { TelephoneEvent } from '../events.ts'
import { TelephoneMeters } from '../metrics/telephone-meters.ts'
import type { Service } from '../options/service-options.ts'
import { Telephone, type TelephoneOptions } from '../telephone.ts'
import { RefusalWatch, type ServiceRefusal } from '../tunnel/refusal-watch.ts'
import { VERSION } from '../version.ts'
import { probeBackend } from './check/probe-backend.ts'
import { logEvent } from './output/log-lines.ts'
import { RequestLines, TERMINAL_LINES_PER_SECOND } from './output/request-lines.ts'
import { StatusLines } from './output/status-lines.ts'
import type { Terminal } from './output/terminal.ts'
import { terminalLogger } from './output/terminal-logger.ts'
import { marked } from './output/words.ts'
import { PortError } from './port-error.ts'
import { untilStopped } from './until-stopped.ts'

export interface RunOptions {
  readonly config: LoadedTelephoneConfig
  readonly terminal: Terminal
  /** True for `http`: a person waits for the outcome, so a refusal that only a person can correct ends the program. */
  readonly personal: boolean
}

/** Time from the start to the release of the memory that the start used, ms. */
const SETTLED_MS = 5000

/** Runs the Telephone. Resolves with the exit code after everything is closed. */
export async function run({ config, terminal, personal }: RunOptions): Promise<number> {
  const { logFormat } = config.values
  const format = logFormat === 'auto' ? (personal || terminal.isTerminal ? 'status' : 'json') : logFormat
  // A terminal shows each request, unless a setting decides otherwise.
  const asked = config.sources.accessLog.kind !== 'default'
  const watched = personal && terminal.isTerminal && format === 'status' && !asked
  const meters = isObserved(config.values) ? new TelephoneMeters() : undefined
  const options = {
    ...telephoneOptions(config),
    meters,
    reportExchanges: watched || config.values.accessLog,
  }
  collectBodyMemory()
  keepTickShape()
  const telephone = new Telephone(options)
  const log = format === 'status' ? undefined : openLog(format, config, telephone)
  const report: Logger = log ?? terminalLogger(terminal)
  // The watch subscribes before the lines. So it has already stored a refusal when the lines receive the event.
  const watch = personal ? new RefusalWatch(telephone, options.plugboards) : undefined
  const show = log === undefined ? statusLines(telephone, options, terminal, watched) : eventLog(log)
  telephone.subscribe(event => {
    // `reportRefusal` reports this event, without the time of a next attempt.
    if (event !== watch?.refusal?.event || event.kind === 'announced') show(event)
  })
  // At this time the first tunnels are open, and the memory for opening them is no longer in use.
  const settled = systemClock.after(SETTLED_MS, releaseMemory)
  for (const { source, detail } of config.warnings) {
    if (log === undefined) terminal.out(`${marked('warn', `${source}: ${detail}`, terminal.colours)}\n`)
    else log.warn('a file with a secret is open to other users', { detail: `${source}: ${detail}` })
  }
  const local = serveLocalStatus({
    program: 'telephone',
    scope: process.env[SCOPE_VARIABLE],
    status: () => localStatus(telephone),
    // The Telephone serves anyway.
    onProblem: ({ message: detail }) =>
      report.warn('the socket for "telephone check --container" could not be opened', { detail }),
  })
  let closePublished: (() => Promise<void>) | undefined
  let closeInspector: (() => Promise<void>) | undefined
  try {
    if (meters !== undefined) {
      const { publish } = await import('./publish/publish.ts')
      const { services } = options
      closePublished = await publish({ telephone, services, meters, config: config.values, log: report })
    }
    if (config.values.inspect !== undefined) {
      const { openInspector } = await import('./open-inspector.ts')
      const { url, close } = await openInspector(telephone, config.values.inspect, report)
      closeInspector = close
      if (log === undefined) terminal.out(`${marked('good', `inspector: ${url}`, terminal.colours)}\n`)
      else log.info('inspector listens', { detail: url })
    }
    telephone.start()
    if (personal && terminal.isTerminal) void warnAboutBackends(options.services, terminal)
    const refusal = await Promise.race([
      untilStopped().then(() => undefined),
      ...(watch === undefined ? [] : [watch.refused]),
    ])
    if (refusal !== undefined) reportRefusal(refusal, terminal, log)
    await telephone.close()
    return refusal === undefined ? 0 : 1
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    report.error('telephone ends', { detail: error.message })
    return 1
  } finally {
    await closePublished?.()
    await closeInspector?.()
    watch?.stop()
    settled.cancel()
    await local.close()
    await log?.close()
  }
}

/** True when another system gets figures of this Telephone. */
function isObserved(config: TelephoneConfig): boolean {
  const receivers = [metricsReceiver(config), tracesReceiver(config)]
  return config.metricsListen !== undefined || receivers.some(receiver => receiver !== undefined)
}

function openLog(format: 'json' | 'text', { values }: LoadedTelephoneConfig, telephone: Telephone): Log {
  const log = createLog({ level: values.logLevel, format, fields: { telephoneId: telephone.name } })
  log.info('telephone starts', { version: VERSION, pid: process.pid, count: values.services?.length ?? 1 })
  return log
}

function statusLines(telephone: Telephone, options: TelephoneOptions, terminal: Terminal, watched: boolean) {
  const targets = new Map(options.services.map(service => [service.service, describe(service)]))
  const { name } = telephone
  const tunnels = options.tunnels ?? 2
  const { out, colours } = terminal
  out(`telephone ${VERSION}, ${name}: ${options.plugboards.join(', ')}\n`)
  const lines = new StatusLines({
    out: line => out(`${line}\n`),
    colours,
    targets,
    requests: new RequestLines({
      out: line => out(`${line}\n`),
      colours,
      clock: systemClock,
      maxPerSecond: watched ? TERMINAL_LINES_PER_SECOND : Number.POSITIVE_INFINITY,
    }),
    tunnels,
    name,
    wallTime: Date.now,
  })
  return lines.show
}

function localStatus({ state, tunnels }: Telephone): LocalStatus {
  const open = tunnels.filter(tunnel => tunnel.state === 'ready').length
  return { state, detail: `${open} of ${tunnels.length} tunnels are open` }
}

function eventLog(log: Log): (event: TelephoneEvent) => void {
  return event => logEvent(log, event)
}

/** Reports why the program ends. The lines of the services have already reported a refusal of all services. */
function reportRefusal(
  { event, error }: ServiceRefusal,
  { out, colours }: Terminal,
  log: Log | undefined,
): void {
  if (log !== undefined) log.error('telephone ends', { code: error.code, detail: error.message })
  else if (event.kind !== 'announced') out(`${marked('bad', error.message, colours)}\n`)
}

function describe({ target }: Service): string {
  return typeof target === 'function' ? 'a function' : targetText(target)
}

/** Warns about backends that do not respond at the start. Otherwise a person would suspect Plugboard first. The start continues. */
async function warnAboutBackends(services: readonly Service[], { out, colours }: Terminal): Promise<void> {
  for (const service of services) {
    if (service.healthCheck !== undefined) continue
    const failure = await probeBackend(service)
    if (failure === undefined) continue
    const text = `${failure.detail} ${failure.remedy} Until then, requests fail.`
    out(`${marked('warn', text, colours)}\n`)
  }
}
