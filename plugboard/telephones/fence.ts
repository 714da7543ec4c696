// Which of two processes of one telephone is the newer, also when they are connected to different replicas: a text in
// each line that says when the process started, and whose token it holds without saying whose.

import { createHash } from 'node:crypto'

/** Characters of the digest: enough that two subjects of one telephone's name do not meet by chance. */
const DIGEST_LENGTH = 11

/** `<start, ms since 1970, base 36>.<digest of the subject>` */
export function fenceOf(startedAt: number, subject: string): string {
  const digest = createHash('sha256').update(subject).digest('base64url').slice(0, DIGEST_LENGTH)
  return `${startedAt.toString(36)}.${digest}`
}

/** Both of one subject, and `fence` started later than `than`. What cannot be read is newer than nothing. */
export function isNewerFence(fence: string, than: string): boolean {
  const [start = '', digest] = fence.split('.')
  const [otherStart = '', otherDigest] = than.split('.')
  return digest !== undefined && digest === otherDigest && parseInt(start, 36) > parseInt(otherStart, 36)
}
