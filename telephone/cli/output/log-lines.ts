// Writes events as log lines for a machine: the messages are constant, and the varying parts are fields.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { AnnouncedService, ExchangeSummary, TelephoneEvent } from '../../events.ts'
import { sentence } from '../../sentence.ts'

type BackendFailures = Extract<TelephoneEvent, { kind: 'backend_failures' }>

export function logEvent(log: Logger, event: TelephoneEvent): void {
  switch (event.kind) {
    case 'dialing':
      log.debug('dialing', { tunnelId: String(event.tunnel), url: event.url })
      return
    case 'dial_failed': {
      const { tunnel, url, error, retryInMs } = event
      const code = error.code ?? (error.status === undefined ? error.kind : String(error.status))
      const { message, advice } = error
      const detail = advice === undefined ? message : `${sentence(message)} ${advice}`
      const fields = { tunnelId: String(tunnel), url, code, detail, delayMs: retryInMs }
      if (error.unauthorized) log.error('token refused', fields)
      else if (error.permanent) log.error('dial failed', fields)
      else log.warn('dial failed', fields)
      return
    }
    case 'tunnel_ready': {
      const { tunnel, url, replica, agent } = event
      log.info('tunnel ready', { tunnelId: String(tunnel), url, replicaId: replica, agent })
      return
    }
    case 'tunnel_lost': {
      const { tunnel, url, reason, detail, permanent, retryInMs } = event
      const fields = { tunnelId: String(tunnel), url, code: reason, detail, delayMs: retryInMs }
      if (permanent) log.error('tunnel lost', fields)
      else log.warn('tunnel lost', fields)
      return
    }
    case 'tunnel_replaced':
      log.info('tunnel replaced', { tunnelId: String(event.tunnel), url: event.url, detail: event.why })
      return
    case 'announced':
      for (const result of event.results) logService(log, String(event.tunnel), result)
      return
    case 'mount_lost': {
      const { service, mount, detail, claimInMs } = event
      log.warn('mount lost', { service, mount, detail, delayMs: claimInMs })
      return
    }
    case 'health': {
      const { service, health, detail, outage } = event
      const { cause, remedy } = outage ?? {}
      if (health === 'up') log.info('backend up', { service, state: health, detail })
      else log.warn('backend down', { service, state: health, cause, detail, remedy })
      return
    }
    case 'backend_failures':
      logFailures(log, event)
      return
    case 'token_renewed':
      log.info('token renewed')
      return
    case 'token_problem':
      log.warn('token problem', {
        detail: `${event.detail} It expires at ${new Date(event.expiresAtMs).toISOString()}.`,
      })
      return
    case 'limits_lowered':
      log[event.isProblem ? 'warn' : 'info']('limits lowered to fit the limit of open files', {
        detail: event.detail,
      })
      return
    case 'exchange':
      logExchange(log, event.exchange)
      return
    case 'over_budget': {
      const { heldBytes: bytes, budgetBytes, evictedStreams: count } = event
      const detail = `the budget is ${budgetBytes} bytes (maxHeld)`
      log.warn('streams were reset: too many bytes are held', { code: event.kind, bytes, count, detail })
      return
    }
    case 'handler_failed':
      log.error('handler failed', { service: event.service, err: event.error })
      return
    case 'draining':
      log.info('draining', { delayMs: event.graceMs })
      return
    case 'closed':
      log.info('closed')
      return
    default:
      event satisfies never
  }
}

function logFailures(log: Logger, { service, backend: url, report }: BackendFailures): void {
  const { count } = report
  if (report.kind === 'recovered') {
    log.info('requests to the backend succeed again', {
      service,
      url,
      count,
      durationMs: Math.round(report.durationMs),
    })
    return
  }
  const { cause, detail, remedy } = report.failure
  const message =
    report.occasion === 'repeated' ? 'requests to the backend still fail' : 'requests to the backend fail'
  log.warn(message, { service, url, cause, detail, remedy, count })
}

function logService(
  log: Logger,
  tunnelId: string,
  { service, accepted, code, detail, urls, lostMount }: AnnouncedService,
): void {
  // The event `mount_lost` has a line of its own.
  if (lostMount !== undefined) return
  if (accepted) log.info('service accepted', { tunnelId, service, detail, url: urls[0], count: urls.length })
  else log.error('service refused', { tunnelId, service, code, detail })
}

function logExchange(log: Logger, { failure, durationMs, ...exchange }: ExchangeSummary): void {
  log.info('request', {
    ...exchange,
    cause: failure?.cause,
    detail: failure?.detail,
    durationMs: Math.round(durationMs * 1000) / 1000,
  })
}
