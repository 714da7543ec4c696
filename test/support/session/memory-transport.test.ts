import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../manual-clock.ts'
import { memoryTransportPair } from './memory-transport.ts'

function record(transport: Transport) {
  const messages: string[] = []
  const closes: { clean: boolean; detail: string }[] = []
  transport.start({
    onMessage: message => messages.push(message.toString('latin1')),
    onClose: end => closes.push(end),
  })
  return { messages, closes }
}

async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>(resolve => setImmediate(resolve))
}

const noop = () => undefined

describe('memoryTransportPair', () => {
  it('delivers in order, never within the call, and counts bytes', async () => {
    const { a, b } = memoryTransportPair()
    record(a)
    const atB = record(b)
    let sent = 0
    for (const word of ['one', 'two', 'three']) a.send(Buffer.from(word), () => sent++)
    expect(atB.messages).toEqual([])
    expect(a.bufferedBytes).toBe(11)
    await turns()
    expect(atB.messages).toEqual(['one', 'two', 'three'])
    expect([sent, a.bufferedBytes, b.receivedBytes]).toEqual([3, 0, 11])
  })

  it('keeps messages until the receiver starts, and while it is paused, in order', async () => {
    const { a, b } = memoryTransportPair({ faults: { wireCapacityBytes: 4 } })
    a.send(Buffer.from('aaaa'), noop)
    a.send(Buffer.from('bbbb'), noop)
    await turns()
    expect(a.bufferedBytes).toBe(4)
    b.pause()
    const atB = record(b)
    await turns()
    expect(atB.messages).toEqual([])
    b.resume()
    await turns()
    expect(atB.messages).toEqual(['aaaa', 'bbbb'])
    expect(a.bufferedBytes).toBe(0)
  })

  it('closes after the messages that were sent, once at each end', async () => {
    const { a, b } = memoryTransportPair()
    const atA = record(a)
    const atB = record(b)
    a.send(Buffer.from('last'), noop)
    a.close('bye')
    b.close('bye too')
    await turns()
    expect(atB.messages).toEqual(['last'])
    expect(atA.closes).toHaveLength(1)
    expect(atB.closes).toEqual([{ clean: true, detail: 'bye' }])
    let sent = false
    a.send(Buffer.from('late'), () => {
      sent = true
    })
    await turns()
    expect(sent).toBe(true)
  })

  it('terminates at once, with an unclean close at both ends', async () => {
    const { a, b } = memoryTransportPair()
    const atA = record(a)
    const atB = record(b)
    let sent = false
    a.send(Buffer.from('lost'), () => {
      sent = true
    })
    a.terminate()
    await turns()
    expect(atB.messages).toEqual([])
    expect([atA.closes[0]?.clean, atB.closes[0]?.clean, sent]).toEqual([false, false, true])
  })

  it('cuts in the middle of a message', async () => {
    const { a, b } = memoryTransportPair({ aToB: { cutAfterBytes: 6 } })
    const atA = record(a)
    const atB = record(b)
    for (const word of ['aaaa', 'bbbb', 'cccc']) a.send(Buffer.from(word), noop)
    await turns()
    expect(atB.messages.length).toBeLessThan(2)
    expect(b.receivedBytes).toBe(6)
    expect([atA.closes[0]?.clean, atB.closes[0]?.clean]).toEqual([false, false])
  })

  it('drops all messages and the close silently when blackholed', async () => {
    const pair = memoryTransportPair()
    const atA = record(pair.a)
    const atB = record(pair.b)
    pair.blackhole(true)
    pair.a.send(Buffer.from('gone'), noop)
    pair.a.close('bye')
    await turns()
    expect([atB.messages, atA.closes, atB.closes]).toEqual([[], [], []])
    pair.blackhole(false)
    await turns()
    expect(atB.messages).toEqual(['gone'])
    expect(atB.closes).toEqual([{ clean: true, detail: 'bye' }])
  })

  it('delays messages by the given clock and keeps their order', async () => {
    const clock = new ManualClock()
    const { a, b } = memoryTransportPair({ clock, faults: { delayMs: [5, 50] }, seed: 7 })
    record(a)
    const atB = record(b)
    const words = Array.from({ length: 20 }, (_, index) => `m${index}`)
    for (const word of words) a.send(Buffer.from(word), noop)
    await turns()
    expect(atB.messages).toEqual([])
    await clock.advanceAsync(60, 1)
    await turns()
    expect(atB.messages).toEqual(words)
  })

  it('drops and duplicates the same messages for the same seed', async () => {
    const run = async (seed: number) => {
      const { a, b } = memoryTransportPair({ seed, faults: { dropRate: 0.3, duplicateRate: 0.3 } })
      record(a)
      const atB = record(b)
      for (let index = 0; index < 50; index += 1) a.send(Buffer.from(`${index}`), noop)
      await turns()
      return atB.messages
    }
    const first = await run(3)
    expect(await run(3)).toEqual(first)
    expect(new Set(first).size).toBeLessThan(50)
    expect(first.length).toBeGreaterThan(new Set(first).size)
  })

  it('delivers an injected message to the named end', async () => {
    const pair = memoryTransportPair()
    const atA = record(pair.a)
    pair.inject('a', Buffer.from('garbage'))
    await turns()
    expect(atA.messages).toEqual(['garbage'])
  })
})
