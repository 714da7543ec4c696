// Waits with an end. A test that waits for an event which never comes should say what it waited for, not only
// that the runner's time is up.

import { setTimeout as delay } from 'node:timers/promises'

/** `promise`, or an Error that names `what` after `timeoutMs`. `describe` is asked for details at that time. */
export async function within<T>(
  promise: Promise<T>,
  timeoutMs: number,
  what: string,
  describe: () => string = () => '',
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not within ${timeoutMs} ms\n${describe()}`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Shorter than the time limit of a test, which would end the wait without saying what it was for, ms. */
export const PATIENCE_MS = Number(process.env.VERA_TEST_PATIENCE_MS ?? 30_000)

/**
 * Asks `probe` until it returns something other than undefined, for states that another process shows only to
 * those who ask. An exception of the last probe becomes the cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  do {
    try {
      const value = await probe()
      if (value !== undefined) return value
      cause = undefined
    } catch (error) {
      cause = error
    }
    await delay(20)
  } while (performance.now() < deadline)
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause })
}
