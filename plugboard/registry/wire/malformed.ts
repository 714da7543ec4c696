// What decoding throws when a peer's bytes are not what they should be. It never leaves this folder: the code
// that receives counts it, drops what it cannot trust and asks again.

import { cutText } from '@vera-stack/shared/cut-text.ts'

export class MalformedError extends Error {
  constructor(detail: string, options: { cause?: unknown } = {}) {
    super(cutText(detail), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MalformedError'
  }
}
