import { expect, it } from 'vitest'
import { EventParser, type ReceivedEvent, readEventStream } from './event-stream-reader.ts'

function parsed(chunks: readonly string[]): ReceivedEvent[] {
  const events: ReceivedEvent[] = []
  const parser = new EventParser(event => events.push(event))
  for (const chunk of chunks) parser.add(chunk)
  return events
}

const STREAM =
  ': comment\n\nevent: traffic\nid: 4\ndata: {"a":\ndata: 1}\n\ndata:x\n\nevent: empty\n\ndata: late\n'
const EVENTS = [
  { name: 'traffic', data: '{"a":\n1}' },
  { name: 'message', data: 'x' },
]

it('reads events with several lines of data, and ignores comments, events without data and an event without an end', () => {
  expect(parsed([STREAM])).toEqual(EVENTS)
})

it('reads the same events from chunks of any size', () => {
  for (let size = 1; size < STREAM.length; size += 1) {
    const count = Math.ceil(STREAM.length / size)
    const chunks = Array.from({ length: count }, (_, at) => STREAM.slice(at * size, (at + 1) * size))
    expect(parsed(chunks)).toEqual(EVENTS)
  }
})

it('refuses an endless line', () => {
  const parser = new EventParser(() => undefined)
  const chunk = 'x'.repeat(1024 * 1024)
  expect(() => {
    for (let at = 0; at < 6; at += 1) parser.add(chunk)
  }).toThrow('too long')
})

it('reads a stream of bytes, with a character that two chunks share', async () => {
  const bytes = new TextEncoder().encode('data: ü\n\n')
  const events: ReceivedEvent[] = []
  let chunks = 0
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(bytes.slice(0, 7))
      controller.enqueue(bytes.slice(7))
      controller.close()
    },
  })
  await readEventStream(body, { onEvent: event => events.push(event), onBytes: () => (chunks += 1) })
  expect([events, chunks > 0]).toEqual([[{ name: 'message', data: 'ü' }], true])
})
