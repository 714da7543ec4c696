// The rows of an event stream of the admin API: requests as they end, or exchanges. The stream is closed while the page is hidden, because a
// browser opens few connections to one host.

import { useEffect, useRef, useState } from 'preact/hooks'
import { listen, type WatchedReplicas } from '../api/live.ts'
import { type ApiError, type Query, streamProblem, urlOf } from '../api/request.ts'
import { checkSession } from '../session/session.ts'
import { LiveBuffer } from './live-buffer.ts'

/** Rows of this time are shown together, ms. Each time, all visible rows move, which costs about 10 ms of the main thread. */
const GATHER_MS = 250
const RETRY_MS = 3000

export interface LiveRowsOptions<Row> {
  readonly path: string
  readonly query: Query
  /** The name of the event of a row. */
  readonly event: string
  readonly keyOf: (row: Row) => string
  /** While true, new rows wait. */
  readonly isPaused: boolean
}

export interface LiveRows<Row> {
  /** The newest first. */
  readonly rows: readonly Row[]
  /** The number of rows that arrived while the list was paused. */
  readonly waiting: number
  /** The number of rows that replicas or this page dropped, because there were too many. */
  readonly missed: number
  /** The number of times that the stream was opened. Rows between two streams are missing. */
  readonly opened: number
  readonly isOpen: boolean
  readonly missingReplicas: WatchedReplicas['missing']
  readonly problem: ApiError | undefined
}

const EMPTY: LiveRows<never> = {
  rows: [],
  waiting: 0,
  missed: 0,
  opened: 0,
  isOpen: false,
  missingReplicas: [],
  problem: undefined,
}

export function useLiveRows<Row>(options: LiveRowsOptions<Row>): LiveRows<Row> {
  const { path, query, event, keyOf, isPaused } = options
  const [live, setLive] = useState<LiveRows<Row>>(EMPTY)
  const paused = useRef(isPaused)
  const show = useRef<() => void>(() => undefined)
  const url = urlOf(path, query)

  useEffect(() => {
    const buffer = new LiveBuffer<Row>(keyOf)
    let timer: ReturnType<typeof setTimeout> | undefined
    let retry: ReturnType<typeof setTimeout> | undefined
    let source: EventSource | undefined
    let isEnded = false
    setLive(EMPTY)
    const update = (more: Partial<LiveRows<Row>> = {}): void => {
      clearTimeout(timer)
      timer = undefined
      if (!paused.current) buffer.show()
      const { rows, waiting, missed } = buffer
      setLive(before => ({ ...before, rows, waiting, missed, ...more }))
    }
    const soon = (): void => {
      timer ??= setTimeout(update, GATHER_MS)
    }
    show.current = update
    const close = (): void => {
      source?.close()
      source = undefined
      clearTimeout(retry)
    }
    const open = (): void => {
      const opening = new EventSource(url)
      source = opening
      opening.addEventListener('open', () =>
        setLive(before => ({ ...before, isOpen: true, opened: before.opened + 1, problem: undefined })),
      )
      opening.addEventListener('error', () => {
        update({ isOpen: false })
        // After a response that is not a stream, the browser does not try again.
        if (opening.readyState === EventSource.CLOSED) void explain(opening)
      })
      listen<Row>(opening, event, row => {
        buffer.add(row)
        soon()
      })
      listen<{ readonly count: number }>(opening, 'dropped', ({ count }) => {
        buffer.miss(count)
        soon()
      })
      listen<WatchedReplicas>(opening, 'replicas', ({ missing }) => update({ missingReplicas: missing }))
    }
    /** Shows the reason of the refusal. Opens the stream again later when the reason may be temporary. */
    const explain = async (failed: EventSource): Promise<void> => {
      const problem = await streamProblem(url)
      if (isEnded || source !== failed) return
      update({ problem })
      if (problem?.status === 401) void checkSession()
      const isWrong = problem !== undefined && problem.status >= 400 && problem.status < 429
      if (isWrong) return
      retry = setTimeout(() => {
        if (source === failed) open()
      }, RETRY_MS)
    }
    const followVisibility = (): void => {
      if (document.hidden) {
        close()
        update({ isOpen: false })
      } else if (source === undefined) open()
    }
    followVisibility()
    document.addEventListener('visibilitychange', followVisibility)
    return () => {
      isEnded = true
      document.removeEventListener('visibilitychange', followVisibility)
      close()
      clearTimeout(timer)
    }
    // The URL identifies the stream.
  }, [url])

  useEffect(() => {
    paused.current = isPaused
    if (!isPaused) show.current()
  }, [isPaused])
  return live
}
