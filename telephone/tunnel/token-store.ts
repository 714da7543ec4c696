// The credential: reads it from its source, and stores a renewed one. Other files read its claims; the Plugboard checks
// its signature. No value of this file may be written to a log.

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export type TokenSource =
  | { readonly kind: 'text'; readonly token: string }
  /** File that is read at each dial, and written when the token is renewed. */
  | { readonly kind: 'file'; readonly path: string }

/** Thrown when the token cannot be read or is malformed. The message names the source and the remedy, never the token. */
export class TokenError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TokenError'
  }
}

export class TokenStore {
  readonly #source: TokenSource
  #renewed: string | undefined
  /** Content of the file when the renewed token arrived. While the file still has it, the renewed token is newer. */
  #superseded: string | undefined

  constructor(source: TokenSource) {
    this.#source = source
  }

  /** Returns the token to dial with now, without the blanks and line ends around it. Throws TokenError. */
  read(): string {
    if (this.#source.kind === 'text') return this.#renewed ?? checked(this.#source.token.trim(), 'The token')
    const { path } = this.#source
    try {
      const token = readFileSync(path, 'utf8').trim()
      return this.#renewed !== undefined && token === this.#superseded
        ? this.#renewed
        : checked(token, `The token file ${path}`)
    } catch (error) {
      if (error instanceof TokenError) throw error
      // A removed file does not stop a Telephone that has a valid token.
      if (this.#renewed !== undefined) return this.#renewed
      throw new TokenError(`The token file ${path} cannot be read (${codeOf(error)}).`, error)
    }
  }

  /** True when renewed tokens are written to a file, so that they outlive the process. */
  get isLasting(): boolean {
    return this.#source.kind === 'file'
  }

  /** Returns the result of `read`, or undefined when `read` throws TokenError. */
  readable(): string | undefined {
    try {
      return this.read()
    } catch (error) {
      if (error instanceof TokenError) return undefined
      throw error
    }
  }

  /** Stores a renewed token. Throws TokenError when the file cannot be written; the token is still used. */
  renew(token: string): void {
    this.#renewed = checked(token, 'The renewed token')
    if (this.#source.kind !== 'file') return
    const { path } = this.#source
    try {
      this.#superseded = readFileSync(path, 'utf8').trim()
      writeAtomically(path, `${token}\n`)
    } catch (error) {
      throw new TokenError(`The renewed token cannot be written to ${path} (${codeOf(error)}).`, error)
    }
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

function checked(token: string, what: string): string {
  if (token === '') throw new TokenError(`${what} is empty.`)
  // Other characters are not allowed in an Authorization field.
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(token)) {
    throw new TokenError(`${what} has characters that a token cannot have. Give the token alone.`)
  }
  return token
}

/** Writes the file atomically: a stop of the machine leaves the old or the new file. Only its owner can read it. */
function writeAtomically(path: string, text: string): void {
  const draft = join(dirname(path), `.token-${randomBytes(6).toString('hex')}`)
  const file = openSync(draft, 'wx', 0o600)
  try {
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    chmodSync(draft, 0o600)
    renameSync(draft, path)
  } catch (error) {
    unlinkSync(draft)
    throw error
  }
}
