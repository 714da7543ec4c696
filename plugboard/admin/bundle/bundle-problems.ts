// The problems of a bundle. They are collected, so that one response names all of them, each with its JSON pointer.

import type { ErrorCode } from '@vera-stack/shared/errors.ts'
import { type Culprit, RequestError } from '../http/problem.ts'

/** A response lists no more, and the check stops there. */
const MAX_PROBLEMS = 50

export class BundleProblems {
  readonly #code: ErrorCode
  readonly #found: Culprit[] = []
  readonly #remedies = new Set<string>()

  constructor(code: ErrorCode) {
    this.#code = code
  }

  /** Throws when there are too many problems. `remedy`: a sentence that several problems share; only the first of them gets it. */
  add(pointer: string, detail: string, remedy?: string): void {
    const isNew = remedy !== undefined && !this.#remedies.has(remedy)
    if (isNew) this.#remedies.add(remedy)
    this.#found.push({ pointer, detail: isNew ? `${detail} ${remedy}` : detail })
    if (this.#found.length >= MAX_PROBLEMS) this.throwIfAny()
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return
    const texts = this.#found.map(({ pointer, detail }) => `${pointer}: ${detail}`)
    const more = this.#found.length >= MAX_PROBLEMS ? `; at least ${MAX_PROBLEMS} problems` : ''
    throw new RequestError(this.#code, `${texts.join('; ')}${more}`, this.#found)
  }
}
