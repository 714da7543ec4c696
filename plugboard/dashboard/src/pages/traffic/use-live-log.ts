// The lines of the live log, the newest first, and bounded.

import { useEffect, useRef, useState } from 'preact/hooks'
import type { RequestBody } from '../../../../admin/api-types.ts'

const MAX_ROWS = 1000
/** Lines of this time are shown together, ms. */
const GATHER_MS = 100

export interface LiveLog {
  readonly rows: readonly RequestBody[]
  /** The number of lines that replicas or this page dropped, because there were too many. */
  readonly dropped: number
  readonly problem: string | undefined
}

const EMPTY: LiveLog = { rows: [], dropped: 0, problem: undefined }

export function useLiveLog(filters: Readonly<Record<string, string>>, isPaused: boolean): LiveLog {
  const [log, setLog] = useState<LiveLog>(EMPTY)
  const paused = useRef(isPaused)
  paused.current = isPaused
  const set = Object.entries(filters).filter(([, value]) => value !== '')
  const query = new URLSearchParams(set).toString()

  useEffect(() => {
    setLog(EMPTY)
    let waiting: RequestBody[] = []
    let dropped = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const show = (): void => {
      timer = undefined
      const rows = waiting
      const lost = dropped
      waiting = []
      dropped = 0
      setLog(before => ({
        rows: [...rows.reverse(), ...before.rows].slice(0, MAX_ROWS),
        dropped: before.dropped + lost,
        problem: undefined,
      }))
    }
    const source = new EventSource(`/v1/requests/stream${query === '' ? '' : `?${query}`}`)
    source.addEventListener('request', event => {
      if (paused.current) return
      if (waiting.length < MAX_ROWS) waiting.push(JSON.parse(event.data) as RequestBody)
      else dropped += 1
      timer ??= setTimeout(show, GATHER_MS)
    })
    source.addEventListener('dropped', event => {
      dropped += (JSON.parse(event.data) as { count: number }).count
      timer ??= setTimeout(show, GATHER_MS)
    })
    source.addEventListener('error', () => {
      const problem =
        source.readyState === EventSource.CLOSED
          ? 'The live log could not be opened: a filter is wrong, your key lacks the scope traffic:read, or too many event streams are open.'
          : 'Connecting to the live log…'
      setLog(before => ({ ...before, problem }))
    })
    source.addEventListener('open', () => setLog(before => ({ ...before, problem: undefined })))
    return () => {
      source.close()
      clearTimeout(timer)
    }
  }, [query])
  return log
}
