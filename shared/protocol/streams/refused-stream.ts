// The events of a refused stream. They have no effect.

import type { StreamEvents } from './stream.ts'

export const REFUSED_STREAM: StreamEvents = {
  onHead: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onAbort: () => undefined,
}
