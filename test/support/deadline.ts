// Waits with a time limit. When an event never happens, the failure names the event. The time limit of the test runner alone
// would not.

import { setTimeout as delay } from 'node:timers/promises'

/** Settles as `promise`, or rejects after `timeoutMs` with an Error that has `what` and the details of `describe()`. */
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

/** Shorter than the time limit of a test, so that the failure names the awaited event, ms. */
export const PATIENCE_MS = Number(process.env.VERA_TEST_PATIENCE_MS ?? 30_000)

/**
 * Calls `probe` until it returns a value other than undefined. For states of another process that can only be polled. An
 * exception of the last call becomes the cause.
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
