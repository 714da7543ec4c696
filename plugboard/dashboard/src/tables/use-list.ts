// A list of the API that loads further pages when the end comes into view.

import type { ReadonlySignal } from '@preact/signals'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { get, type Query } from '../api/request.ts'
import { type QueryState, useQuery } from '../api/use-query.ts'

export interface ListPage<Row> {
  readonly items: readonly Row[]
  readonly next: string | null
  /** Only in lists that count their rows. */
  readonly total?: number
}

export interface List<Row, Page extends ListPage<Row>> {
  readonly rows: readonly Row[]
  readonly first: QueryState<Page>
  readonly loadMore: () => void
  readonly hasMore: boolean
}

const PAGE_ROWS = 100

/** After a change, and after `everyMs`, the first page is read again. Later pages are read again when they are needed. */
export function useList<Row, Page extends ListPage<Row> = ListPage<Row>>(
  path: string,
  query: Query,
  on?: ReadonlySignal<unknown>,
  everyMs?: number,
): List<Row, Page> {
  const key = `${path} ${JSON.stringify(query)}`
  const first = useQuery<Page>(key, signal => get(path, { ...query, limit: PAGE_ROWS }, signal), {
    on,
    everyMs,
  })
  const [more, setMore] = useState<{ of: Page | undefined; rows: readonly Row[]; next: string | null }>({
    of: undefined,
    rows: [],
    next: null,
  })
  const isLoading = useRef(false)
  useEffect(() => {
    setMore({ of: first.data, rows: [], next: first.data?.next ?? null })
  }, [first.data])

  const { next } = more
  const loadMore = useCallback(() => {
    if (next === null || isLoading.current) return
    isLoading.current = true
    const of = first.data
    get<Page>(path, { ...query, limit: PAGE_ROWS, cursor: next })
      .then(page => {
        setMore(before =>
          before.of === of ? { of, rows: [...before.rows, ...page.items], next: page.next } : before,
        )
      })
      // A page that failed is requested again when the end comes into view again.
      .catch(() => undefined)
      .finally(() => {
        isLoading.current = false
      })
    // `key` contains the path and the query.
  }, [key, next, first.data])
  return {
    rows: [...(first.data?.items ?? []), ...(more.of === first.data ? more.rows : [])],
    first,
    loadMore,
    hasMore: next !== null,
  }
}
