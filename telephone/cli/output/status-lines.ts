// Writes events as lines for the person at the terminal. The same failure of two tunnels, or a repeated failure, has only one line.

import { REASONS } from '@vera-stack/shared/protocol/wire/reason.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import type { AnnouncedService, TelephoneEvent } from '../../events.ts'
import { sentence } from '../../sentence.ts'
import type { RequestLines } from './request-lines.ts'
import { briefly, marked, roughly } from './words.ts'

type BackendFailures = Extract<TelephoneEvent, { kind: 'backend_failures' }>

export interface StatusLinesOptions {
  readonly out: (line: string) => void
  readonly colours: boolean
  /** The target of each service, such as `http://localhost:3000`. */
  readonly targets: ReadonlyMap<string, string>
  readonly requests: RequestLines
  readonly tunnels: number
  readonly name: string
  /** Milliseconds since 1970. */
  readonly wallTime: () => number
}

/** A continuing problem is reported again after this time, so that the user does not assume that it has ended. */
const REPEAT_MS = 60_000

export class StatusLines {
  readonly #options: StatusLinesOptions
  #lastTrouble = ''
  #lastTroubleAtMs = 0
  #lastAnnounced = ''

  constructor(options: StatusLinesOptions) {
    this.#options = options
  }

  readonly show = (event: TelephoneEvent): void => {
    switch (event.kind) {
      case 'dialing':
        return
      case 'dial_failed':
        this.#dialFailed(event)
        return
      case 'tunnel_ready': {
        this.#lastTrouble = ''
        const of = this.#options.tunnels > 1 ? ` (tunnel ${event.tunnel} of ${this.#options.tunnels})` : ''
        this.#print('good', `connected to ${event.url}, replica ${event.replica}${of}`)
        return
      }
      case 'tunnel_lost':
        if (event.reason === 'replaced') {
          const text = `another Telephone named "${this.#options.name}" has taken over; this one waits. To run both, give each its own --name`
          this.#trouble('warn', text, '')
        } else {
          const again = `; trying again in ${briefly(event.retryInMs)}`
          const cause = causeOf(event)
          this.#trouble(event.permanent ? 'bad' : 'warn', `${event.url}: connection lost: ${cause}`, again)
        }
        return
      case 'tunnel_replaced':
        this.#print('note', `${event.url}: ${event.why}; connecting to a replacement first`)
        return
      case 'announced':
        this.#announced(event.results)
        return
      case 'mount_lost': {
        const again =
          event.claimInMs === undefined
            ? ''
            : ` This Telephone claims it again within ${briefly(event.claimInMs)}.`
        this.#print('warn', `${event.service}: ${sentence(event.detail)}${again}`)
        return
      }
      case 'health':
        if (event.health === 'up') this.#print('good', `${event.service}: the backend is up again`)
        else this.#print('bad', `${event.service}: the backend is down (${event.detail})`)
        return
      case 'backend_failures':
        this.#backend(event)
        return
      case 'token_renewed': {
        const { expiresAtMs } = event
        const left = expiresAtMs === undefined ? '' : `, expires in ${this.#left(expiresAtMs)}`
        this.#print('note', `token renewed${left}`)
        return
      }
      case 'token_problem':
        this.#trouble('warn', event.detail, ` It expires in ${this.#left(event.expiresAtMs)}.`)
        return
      case 'limits_lowered':
        if (event.isProblem) this.#print('warn', `Limits lowered: ${event.detail}`)
        return
      case 'exchange':
        this.#options.requests.show(event.exchange)
        return
      case 'over_budget':
        this.#trouble(
          'warn',
          'slow backends or clients made too many bytes wait, so some requests were ended. To allow more bytes, raise --max-held',
          '',
        )
        return
      case 'handler_failed':
        this.#print('bad', `${event.service}: the handler failed: ${cutText(String(event.error))}`)
        return
      case 'draining':
        this.#print(
          'note',
          `finishing open requests for ${briefly(event.graceMs)} at most; press Ctrl-C again to quit at once`,
        )
        return
      case 'closed':
        this.#options.requests.flush()
        this.#print('note', 'stopped')
        return
      default:
        event satisfies never
    }
  }

  #left(timeMs: number): string {
    return roughly(timeMs - this.#options.wallTime())
  }

  #dialFailed({ url, error, retryInMs }: Extract<TelephoneEvent, { kind: 'dial_failed' }>): void {
    const { message, advice } = error
    const again = `trying again in ${briefly(retryInMs)}`
    if (advice === undefined) this.#trouble('bad', `${url}: ${message}`, `; ${again}`)
    else this.#trouble('bad', `${url}: ${sentence(message)}`, ` ${advice} (${again})`)
  }

  #backend({ service, report }: BackendFailures): void {
    const { count } = report
    const requests = count === 1 ? '1 request' : `${count} requests`
    if (report.kind === 'recovered') {
      this.#print('good', `${service}: requests succeed again (${requests} failed)`)
      return
    }
    const { detail, remedy } = report.failure
    const repeated = report.occasion === 'repeated' ? `${requests} failed in the last minute. ` : ''
    this.#print('bad', `${service}: ${repeated}${detail} ${remedy}`)
  }

  #announced(results: readonly AnnouncedService[]): void {
    // A lost mount has a line of its own (`mount_lost`).
    const lines = results
      .filter(({ lostMount }) => lostMount === undefined)
      .map(result => this.#service(result))
    const text = lines.join('\n')
    if (text === this.#lastAnnounced) return
    this.#lastAnnounced = text
    if (text === '') return
    this.#options.out(text)
  }

  #service({ service, accepted, detail, urls }: AnnouncedService): string {
    const { colours, targets } = this.#options
    if (!accepted) return marked('bad', `${service}: ${detail ?? 'refused'}`, colours)
    const target = targets.get(service) ?? service
    if (urls.length === 0)
      return marked('good', `${service} → ${target}${detail ? ` (${detail})` : ''}`, colours)
    const lines = urls.map(url => marked('good', `${url} → ${target}`, colours))
    // An accepted service may have a remark, for example that another telephone serves it too.
    if (detail !== undefined) lines.push(marked('warn', `${service}: ${detail}`, colours))
    return lines.join('\n')
  }

  #trouble(mark: 'bad' | 'warn', text: string, rest: string): void {
    const now = this.#options.wallTime()
    if (text === this.#lastTrouble && now - this.#lastTroubleAtMs < REPEAT_MS) return
    this.#lastTrouble = text
    this.#lastTroubleAtMs = now
    this.#print(mark, text + rest)
  }

  #print(mark: Parameters<typeof marked>[0], text: string): void {
    this.#options.out(marked(mark, text, this.#options.colours))
  }
}

/** The end of a session that was closed as planned has its reason in the detail, such as the person who closed it. */
function causeOf({ reason, detail, permanent }: Extract<TelephoneEvent, { kind: 'tunnel_lost' }>): string {
  if (permanent) return detail
  const { meaning } = REASONS[reason]
  return reason === 'going_away' && detail !== meaning ? `${meaning} (${detail})` : meaning
}
