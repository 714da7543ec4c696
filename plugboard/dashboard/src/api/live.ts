// The live data of the whole cluster: one event stream for all parts of the page. It is closed while the page is hidden. After each
// opening, rows and lines are read again.

import { computed, effect, signal } from '@preact/signals'
import type { ChangeBody, MissingReplicas, TrafficSecond } from '../../../admin/api-types.ts'
import { checkSession, session } from '../session/session.ts'
import { LiveTraffic } from './live-traffic.ts'

export interface WatchedReplicas {
  readonly watched: readonly string[]
  readonly missing: MissingReplicas
}
export type Connection = 'connecting' | 'open' | 'paused'
export const connection = signal<Connection>('connecting')
/** Increases with each change of a row. */
export const changeCount = signal(0)
/** Increases when lines of a service have changed. */
export const lineCount = signal(0)
export const liveTraffic = new LiveTraffic()
export const lastChange = signal<ChangeBody | undefined>(undefined)
export const watchedReplicas = signal<WatchedReplicas>({ watched: [], missing: [] })
/** Increases when rows or lines have changed. */
export const anyChange = computed(() => changeCount.value + lineCount.value)

let source: EventSource | undefined
let retry: ReturnType<typeof setTimeout> | undefined

/** Follows the live data while a person is logged in. */
export function startLive(): void {
  const isHidden = signal(document.hidden)
  document.addEventListener('visibilitychange', () => {
    isHidden.value = document.hidden
  })
  effect(() => {
    const services = liveTraffic.wanted.value
    close()
    if (session.value === undefined || session.value === null) return
    if (isHidden.value) connection.value = 'paused'
    else open(services)
  })
}

function close(): void {
  source?.close()
  source = undefined
  clearTimeout(retry)
}

const RETRY_MS = 2000

function open(services: readonly string[]): void {
  connection.value = 'connecting'
  const query = services.length === 0 ? '' : `?services=${encodeURIComponent(services.join(','))}`
  const opened = new EventSource(`/v1/live${query}`)
  source = opened
  opened.addEventListener('open', () => {
    connection.value = 'open'
    // Rows and lines may have changed while there was no stream.
    changeCount.value += 1
    lineCount.value += 1
  })
  opened.addEventListener('error', () => {
    connection.value = 'connecting'
    // After a response that is not a stream, the browser does not try again. The session may have ended.
    if (opened.readyState !== EventSource.CLOSED) return
    void checkSession()
    retry = setTimeout(() => {
      if (source === opened) open(services)
    }, RETRY_MS)
  })
  listen<TrafficSecond>(opened, 'traffic', second => liveTraffic.add(second))
  listen<unknown>(opened, 'lines', () => {
    lineCount.value += 1
  })
  listen<ChangeBody>(opened, 'change', change => {
    lastChange.value = change
    changeCount.value += 1
  })
  listen<unknown>(opened, 'reset', () => {
    changeCount.value += 1
  })
  listen<WatchedReplicas>(opened, 'replicas', replicas => {
    watchedReplicas.value = replicas
  })
}

/** Calls `onData` with the data of each event of this name. */
export function listen<Data>(opened: EventSource, name: string, onData: (data: Data) => void): void {
  opened.addEventListener(name, event => onData(JSON.parse((event as MessageEvent<string>).data) as Data))
}
