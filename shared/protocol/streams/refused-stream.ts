// The events of a stream that was refused: nothing comes of it any more.

import type { StreamEvents } from './stream.ts'

export const REFUSED_STREAM: StreamEvents = {
  onHead: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onAbort: () => undefined,
}
