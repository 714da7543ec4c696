// Reads a password from a place that other users of the machine cannot see: a file, the standard input, or the keyboard.

import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text as readStream } from 'node:stream/consumers'
import { secretFileProblem } from '@vera-stack/shared/process/secret-file.ts'
import { type CliContext, inFolder } from './api/api-command.ts'
import { CliError, usageError } from './cli-error.ts'

/**
 * Resolves with the password, without a line break at the end. `file`: the path of a file, or `-` for the standard input;
 * undefined: the user types the password.
 */
export async function readPassword(
  context: CliContext,
  user: string,
  file: string | undefined,
): Promise<string> {
  const password = file === undefined ? await ask(context, user) : await readText(context, file)
  if (password === '') throw new CliError(`the password of ${user} is empty: give at least one character`)
  return password
}

async function readText(context: CliContext, file: string): Promise<string> {
  const problem = file === '-' ? undefined : secretFileProblem(inFolder(context, file))
  if (problem !== undefined) context.terminal.err(`note: ${problem}\n`)
  try {
    const text =
      file === '-' ? await readStream(process.stdin) : await readFile(inFolder(context, file), 'utf8')
    return text.replace(/\r?\n$/, '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError(`--password-file: ${file} cannot be read (${code})`, { cause: error })
  }
}

async function ask({ terminal, interrupted }: CliContext, user: string): Promise<string> {
  if (process.stdin.isTTY !== true) {
    throw usageError(
      `the password of ${user} can only be typed on a terminal: give --password-file <path>, or - for the standard input`,
    )
  }
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  // The output of this reader is discarded, so the terminal does not show the typed characters.
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  terminal.err(`Password of ${user}: `)
  try {
    return await reader.question('', { signal: interrupted() })
  } finally {
    reader.close()
    terminal.err('\n')
  }
}
