// Reads data for a component. The old data stay on the screen until the new data have arrived.

import type { ReadonlySignal } from '@preact/signals'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from './request.ts'

export interface QueryState<Data> {
  readonly data: Data | undefined
  readonly error: ApiError | undefined
  readonly isLoading: boolean
  readonly reload: () => void
}

export interface QueryOptions {
  /** The data are read again soon after this signal changes. */
  readonly on?: ReadonlySignal<unknown> | undefined
  /** The data are read again after this time, ms. */
  readonly everyMs?: number | undefined
}

/** Changes within this time cause only one request, ms. */
const GATHER_MS = 80
const RETRY_MS = 3000

/** `key`: identifies the request; the data are read again when it changes. `load`: reads them. */
export function useQuery<Data>(
  key: string,
  load: (signal: AbortSignal) => Promise<Data>,
  { on, everyMs }: QueryOptions = {},
): QueryState<Data> {
  const [state, setState] = useState<{ key: string; data?: Data; error?: ApiError; isLoading: boolean }>({
    key,
    isLoading: true,
  })
  const current = useRef(load)
  current.current = load
  const running = useRef<AbortController | undefined>(undefined)

  const reload = useCallback(() => {
    running.current?.abort()
    const controller = new AbortController()
    running.current = controller
    setState(before => ({ ...(before.key === key ? before : { key }), isLoading: true }))
    current.current(controller.signal).then(
      data => {
        if (!controller.signal.aborted) setState({ key, data, isLoading: false })
      },
      (reason: unknown) => {
        if (controller.signal.aborted) return
        const error =
          reason instanceof ApiError
            ? reason
            : new ApiError(0, { detail: `This part of the page failed: ${String(reason)}. Reload the page.` })
        setState(before => ({ ...(before.key === key ? before : { key }), error, isLoading: false }))
      },
    )
  }, [key])

  useEffect(() => {
    reload()
    return () => running.current?.abort()
  }, [reload])

  useEffect(() => {
    if (on === undefined) return
    let timer: ReturnType<typeof setTimeout> | undefined
    let isFirst = true
    const unsubscribe = on.subscribe(() => {
      if (isFirst) {
        isFirst = false
        return
      }
      timer ??= setTimeout(() => {
        timer = undefined
        reload()
      }, GATHER_MS)
    })
    return () => {
      clearTimeout(timer)
      unsubscribe()
    }
  }, [on, reload])

  const isUnreachable = state.error?.status === 0
  useEffect(() => {
    const waitMs = isUnreachable ? RETRY_MS : everyMs
    if (waitMs === undefined) return
    const timer = setInterval(() => {
      if (!document.hidden) reload()
    }, waitMs)
    return () => clearInterval(timer)
  }, [isUnreachable, everyMs, reload])

  return { data: state.data, error: state.error, isLoading: state.isLoading, reload }
}
