// The long form of a test: `npm run soak -- NAME` runs the test file NAME of test/e2e with it. Tests of a property that needs many
// requests send them for this time, and otherwise send only as many as `npm test` has time for.

import { expect } from 'vitest'

/** The time of the long form, ms; 0: the short form. */
export const SOAK_MS = Number(process.env.VERA_SOAK_MS ?? 0)

/** Prints measured figures after the name of the test, in the long form only. */
export function printFigures(figures: Readonly<Record<string, unknown>>): void {
  if (SOAK_MS > 0) console.log(`${expect.getState().currentTestName}: ${JSON.stringify(figures)}`)
}
