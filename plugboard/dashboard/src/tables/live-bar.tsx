// The bar above a live list: Pause, and the state of the list in words.

import { count } from '../parts/format.ts'
import { MissingReplicasNotice } from '../parts/page-head.tsx'
import type { LiveRows } from './use-live-rows.ts'

export function LiveBar(props: {
  /** The noun for one row, such as "request". */
  noun: string
  live: LiveRows<unknown>
  isPaused: boolean
  onPause: (isPaused: boolean) => void
}) {
  const { noun, live, isPaused, onPause } = props
  const { rows, waiting, missed, isOpen, opened, problem, missingReplicas } = live
  const parts = [`${count(rows.length)} ${plural(noun, rows.length)}`]
  if (isPaused && waiting > 0) parts.push(`${count(waiting)} new`)
  if (missed > 0) parts.push(`${count(missed)} missed, because too many arrived at once`)
  if (opened > 1) parts.push('the stream was interrupted, so some may be missing')
  return (
    <>
      <div class="row">
        <button type="button" aria-pressed={isPaused} onClick={() => onPause(!isPaused)}>
          {isPaused ? 'Continue' : 'Pause'}
        </button>
        <span class="soft" role="status">
          {isOpen ? parts.join(' · ') : problem === undefined ? 'Connecting…' : 'Not connected'}
        </span>
      </div>
      {problem !== undefined && (
        <div class="notice" data-tone="bad" role="alert">
          {problem.message}
        </div>
      )}
      <MissingReplicasNotice missing={missingReplicas} />
    </>
  )
}

const plural = (noun: string, number: number): string => (number === 1 ? noun : `${noun}s`)
