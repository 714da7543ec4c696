// The body of the response to a bundle, as a stream: with 100,000 differences, one text would block the event loop.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { BundleResultBody } from '../bodies/bundle.ts'
import { type BundleDifference, itemsOf } from './bundle-difference.ts'

const ITEMS_PER_CHUNK = 100
/** A client that takes no chunk for this long is disconnected, because the differences stay in memory until the end. */
const IDLE_MS = 30_000

/** `closed`: called once, at the end of the stream. */
export function bundleStream(
  head: Pick<BundleResultBody, 'dryRun' | 'bundle' | 'sequence'>,
  difference: BundleDifference,
  clock: Clock,
  closed: () => void,
): ReadableStream<Uint8Array> {
  const chunks = textsOf(head, difference)
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array>
  let isOpen = true
  const end = (): void => {
    isOpen = false
    idle.cancel()
    closed()
  }
  const expire = (): void => {
    end()
    controller.error(new Error(`the client took no part of the response for ${IDLE_MS} ms`))
  }
  let idle = clock.after(IDLE_MS, expire)
  return new ReadableStream<Uint8Array>({
    start: given => {
      controller = given
    },
    pull: async () => {
      // A fast client asks for all chunks within one turn of the event loop.
      await nextTurn()
      if (!isOpen) return
      idle.cancel()
      const { value, done } = chunks.next()
      if (done === true) {
        end()
        controller.close()
        return
      }
      controller.enqueue(encoder.encode(value))
      idle = clock.after(IDLE_MS, expire)
    },
    cancel: end,
  })
}

function* textsOf(
  head: Pick<BundleResultBody, 'dryRun' | 'bundle' | 'sequence'>,
  difference: BundleDifference,
): Generator<string, undefined> {
  const counts = ({ created, changed, deleted, unchanged }: BundleDifference['services' | 'routes']) => ({
    created: created.length,
    changed: changed.length,
    deleted: deleted.length,
    unchanged,
  })
  const whole = { ...head, services: counts(difference.services), routes: counts(difference.routes) }
  let text = `${JSON.stringify(whole).slice(0, -1)},"items":[`
  let count = 0
  for (const item of itemsOf(difference)) {
    text += `${count === 0 ? '' : ','}${JSON.stringify(item)}`
    count += 1
    if (count % ITEMS_PER_CHUNK !== 0) continue
    yield text
    text = ''
  }
  yield `${text}]}`
  return undefined
}
