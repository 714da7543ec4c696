// The error for malformed bytes of a peer. It never leaves the registry folder: the receiving code counts it, drops the affected
// shard, and requests its full state.

import { cutText } from '@vera-stack/shared/text/cut-text.ts'

export class MalformedError extends Error {
  constructor(detail: string, options: { cause?: unknown } = {}) {
    super(cutText(detail), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MalformedError'
  }
}
