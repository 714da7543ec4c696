// The bar above a live list: Pause, and the state of the list in words.

import { useEffect, useState } from 'preact/hooks'
import { count } from '../parts/format.ts'
import { MissingReplicasNotice } from '../parts/page-head.tsx'
import type { LiveRows } from './use-live-rows.ts'

/** The stream starts before the first replicas have responded, ms. */
const SETTLE_MS = 1000

export function LiveBar(props: {
  /** The noun for one row, such as "request". */
  noun: string
  live: LiveRows<unknown>
  isPaused: boolean
  onPause: (isPaused: boolean) => void
}) {
  const { noun, live, isPaused, onPause } = props
  const { rows, waiting, missed, isOpen, opened, problem, missingReplicas } = live
  const isSettled = useIsSettled(isOpen, opened)
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
      {isSettled && <MissingReplicasNotice missing={missingReplicas} />}
    </>
  )
}

const plural = (noun: string, number: number): string => (number === 1 ? noun : `${noun}s`)

/** True from a second after each opening of the stream. Until then, replicas that have not responded are not missing. */
function useIsSettled(isOpen: boolean, opened: number): boolean {
  const [isSettled, setSettled] = useState(false)
  useEffect(() => {
    setSettled(false)
    if (!isOpen) return
    const timer = setTimeout(() => setSettled(true), SETTLE_MS)
    return () => clearTimeout(timer)
  }, [isOpen, opened])
  return isSettled
}
