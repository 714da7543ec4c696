// Asks the user a question on the standard error, and reads one line of the standard input.

import { createInterface } from 'node:readline'
import type { CliContext } from './api/api-command.ts'

/** Resolves with the line. Undefined: the input has ended, as without a terminal, or the user has interrupted the command. */
export async function askLine(
  { terminal, interrupted }: Pick<CliContext, 'terminal' | 'interrupted'>,
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
): Promise<string | undefined> {
  terminal.err(question)
  const reader = createInterface({ input, signal: interrupted() })
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  // At the end of the input, a question of readline stays pending, so this reads the events.
  reader.once('line', resolve)
  reader.once('close', () => resolve(undefined))
  const line = await promise
  reader.close()
  if (line === undefined) terminal.err('\n')
  return line
}
