// The head of a page, and the state of its data: an error, or the first load.

import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { MissingReplicas } from '../../../admin/api-types.ts'
import type { QueryState } from '../api/use-query.ts'

export function PageHead({ title, children }: { title: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Plugboard`
  }, [title])
  return (
    <header class="page-head">
      <h1>{title}</h1>
      {children}
    </header>
  )
}

/** Shows an error, or that the first data are loading; otherwise null. */
export function QueryNotice({ query }: { query: Pick<QueryState<unknown>, 'data' | 'error' | 'isLoading'> }) {
  if (query.error !== undefined) {
    return (
      <div class="notice" part="notice" data-tone="bad" role="alert">
        {query.error.message}
      </div>
    )
  }
  if (query.data === undefined && query.isLoading) return <p class="soft">Loading…</p>
  return null
}

export function MissingReplicasNotice({ missing }: { missing: MissingReplicas | undefined }) {
  if (missing === undefined || missing.length === 0) return null
  return (
    <div class="notice" part="notice" data-tone="warn">
      These replicas did not respond, so their data are missing:{' '}
      {missing.map(({ id, reason }) => `${id} (${reason})`).join(', ')}.
    </div>
  )
}
