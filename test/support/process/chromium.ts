// The Chromium of this machine. Tests that need it are skipped where it is not installed.

import { type Browser, chromium } from 'playwright-core'
import { findProgram } from './find-program.ts'

/** The path of the program; undefined: it is not installed. */
export const CHROMIUM =
  findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome')

/** `args`: further flags. Rejects when Chromium is not installed. */
export async function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('Chromium is not installed. Install the package chromium.')
  // Root cannot use the sandbox of Chromium, and the pages are our own.
  return await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...args] })
}
