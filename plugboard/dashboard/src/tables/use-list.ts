// A list of the API that loads further pages when the end comes into view.

import type { ReadonlySignal } from '@preact/signals'
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { lastChange } from '../api/live.ts'
import { ApiError, get, type Query } from '../api/request.ts'
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

export interface ListOptions<Row> {
  /** The first page is read again after this time, ms. */
  readonly everyMs?: number
  /** Rows of one page. */
  readonly pageRows?: number
  /**
   * Keeps the later pages when the first one is read again, so that a long list stays where it is. The id of a row; a row of a later
   * page is read again when `lastChange` names it. Absent: later pages are read again when they are needed.
   */
  readonly idOf?: (row: Row) => string
}

interface LaterPages<Row> {
  /** The query of these pages. */
  readonly of: unknown
  readonly rows: readonly Row[]
  readonly next: string | null
}

const PAGE_ROWS = 100

/** `on`: the first page is read again soon after this signal changes. */
export function useList<Row, Page extends ListPage<Row> = ListPage<Row>>(
  path: string,
  query: Query,
  on?: ReadonlySignal<unknown>,
  { everyMs, pageRows = PAGE_ROWS, idOf }: ListOptions<Row> = {},
): List<Row, Page> {
  const key = `${path} ${JSON.stringify(query)}`
  const first = useQuery<Page>(key, signal => get(path, { ...query, limit: pageRows }, signal), {
    on,
    everyMs,
  })
  const firstPage = first.data
  const of = idOf === undefined || firstPage === undefined ? firstPage : key
  const [kept, setMore] = useState<LaterPages<Row>>({ of: undefined, rows: [], next: null })
  const more = kept.of === of ? kept : { of, rows: [], next: firstPage?.next ?? null }
  const isLoading = useRef(false)

  const { next } = more
  const loadMore = useCallback(() => {
    if (next === null || isLoading.current) return
    isLoading.current = true
    get<Page>(path, { ...query, limit: pageRows, cursor: next })
      .then(page => setMore({ of, rows: [...more.rows, ...page.items], next: page.next }))
      // A page that failed is requested again when the end comes into view again.
      .catch(() => undefined)
      .finally(() => {
        isLoading.current = false
      })
    // `of` changes with the query.
  }, [of, next, more.rows])

  // The page after the first one has the rows that additions have moved there.
  const later = useRef(more)
  later.current = more
  useEffect(() => {
    const after = firstPage?.next
    if (idOf === undefined || later.current.rows.length === 0 || typeof after !== 'string') return
    const reading = new AbortController()
    get<Page>(path, { ...query, limit: pageRows, cursor: after }, reading.signal).then(
      ({ items }) => {
        const read = new Set(items.map(idOf))
        const { rows, next: end } = later.current
        setMore({ of, rows: [...items, ...rows.filter(row => !read.has(idOf(row)))], next: end })
      },
      // The rows that are on the screen stay.
      () => undefined,
    )
    return () => reading.abort()
    // Only a new first page starts this.
  }, [firstPage])

  useChangedRow<Row>(
    path,
    idOf && {
      has: id => later.current.rows.some(row => idOf(row) === id),
      replace: (id, row) => {
        const { rows, next: end } = later.current
        const replaced = rows.flatMap(old => (idOf(old) !== id ? [old] : row === undefined ? [] : [row]))
        setMore({ of, rows: replaced, next: end })
      },
      forgetLaterPages: () => setMore({ of: undefined, rows: [], next: null }),
    },
  )

  const rows = useMemo(() => {
    const items = firstPage?.items ?? []
    if (idOf === undefined) return [...items, ...more.rows]
    const known = new Set(items.map(idOf))
    return [...items, ...more.rows.filter(row => !known.has(idOf(row)))]
  }, [firstPage, more.rows, idOf])
  return { rows, first, loadMore, hasMore: next !== null }
}

/** From so many changed rows on, the later pages are read again when they are needed, instead of each row. */
const MAX_WAITING = 50

interface ShownRows<Row> {
  readonly has: (id: string) => boolean
  /** `row`: undefined for a row that does not exist any more. */
  readonly replace: (id: string, row: Row | undefined) => void
  readonly forgetLaterPages: () => void
}

/** Reads a row of `shown` again when the change log names it, one row at a time: an import changes many rows at once. */
function useChangedRow<Row>(path: string, shown: ShownRows<Row> | undefined): void {
  const current = useRef(shown)
  current.current = shown
  useEffect(() => {
    let isFirst = true
    let isReading = false
    const waiting = new Set<string>()
    const end = new AbortController()
    const readAll = async (): Promise<void> => {
      isReading = true
      for (const id of waiting) {
        waiting.delete(id)
        try {
          current.current?.replace(id, await get<Row>(`${path}/${encodeURIComponent(id)}`, {}, end.signal))
        } catch (error) {
          if (end.signal.aborted) return
          if (error instanceof ApiError && error.status === 404) current.current?.replace(id, undefined)
        }
      }
      isReading = false
    }
    const unsubscribe = lastChange.subscribe(change => {
      // A signal also reports its present value.
      const isOld = isFirst
      isFirst = false
      if (isOld || change === undefined || current.current?.has(change.entityId) !== true) return
      waiting.add(change.entityId)
      if (waiting.size > MAX_WAITING) {
        waiting.clear()
        current.current.forgetLaterPages()
      } else if (!isReading) void readAll()
    })
    return () => {
      unsubscribe()
      end.abort()
    }
  }, [path])
}
