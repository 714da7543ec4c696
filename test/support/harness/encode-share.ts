// Encodes a whole message of a share stream. Plugboard itself writes entry by entry, with `ShareWriter`.

import { type ShareMessage, ShareWriter } from '../../../plugboard/limits/sharing/share-message.ts'

export function encodeShare({ since, entries }: ShareMessage): Buffer {
  const writer = new ShareWriter()
  writer.begin(since)
  for (const { key, quota, birth, total, ahead } of entries) {
    if (!writer.hasRoom()) throw new RangeError('the entries do not fit into one message')
    writer.add(key, quota, birth, total, ahead)
  }
  return writer.finish()
}
