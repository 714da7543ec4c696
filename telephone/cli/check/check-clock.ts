// Compares the clock of this machine with the clock of Plugboard, for `telephone check`. A token counts by both clocks.

import { type Mark, roughly } from '../output/words.ts'

/** Plugboard sends its time in whole seconds, and the response takes some time. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000

/** `plugboardTimeMs`: undefined for an older Plugboard, which does not send its time. */
export function checkClock(
  plugboardTimeMs: number | undefined,
  nowMs: number,
  print: (mark: Mark, text: string) => void,
): void {
  if (plugboardTimeMs === undefined) {
    print(
      'warn',
      'clock: this Plugboard does not send its time, so the difference is unknown. Update Plugboard',
    )
    return
  }
  const differenceMs = nowMs - plugboardTimeMs
  if (differenceMs >= -MAX_CLOCK_DIFFERENCE_MS && differenceMs <= MAX_CLOCK_DIFFERENCE_MS + 1_000) {
    print('good', 'clock: within 2 s of the clock of Plugboard')
    return
  }
  const side = differenceMs > 0 ? 'ahead of' : 'behind'
  print(
    'warn',
    `clock: this machine is ${roughly(Math.abs(differenceMs))} ${side} Plugboard, so tokens expire early or late. Synchronise both clocks by NTP ("timedatectl")`,
  )
}
