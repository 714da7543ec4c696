import { expect, it } from 'vitest'
import { runSeed, seededRandom } from '../../../test/support/seeded-random.ts'
import { MalformedError } from './malformed.ts'
import { DataWriter, decodeRegistryMessage, encodeSummary, encodeWants, MESSAGE_BYTES } from './message.ts'

const incarnations = { sender: '0loyw3za6-ja8njs4z', own: '0loyw3za7-00000000' }

it('carries summaries of the sender and wants about the receiver', () => {
  const shards = [
    { shard: 0, epoch: 1, seq: 2, digest: 0xffff_ffff },
    { shard: 255, epoch: 70_000, seq: 2 ** 40, digest: 0 },
  ]
  const wants = [{ shard: 3, epoch: 0, seq: 0, clock: 0 }]
  expect(decodeRegistryMessage(encodeSummary(incarnations.sender, 9, shards), incarnations)).toEqual({
    kind: 'summary',
    round: 9,
    shards,
  })
  expect(decodeRegistryMessage(encodeWants(incarnations.own, 0, wants), incarnations)).toEqual({
    kind: 'wants',
    round: 0,
    wants,
  })
})

it('carries whole updates and parts of one, up to the size of a message', () => {
  const writer = new DataWriter(incarnations.sender)
  const whole = { shard: 1, epoch: 1, base: 4, seq: 5, part: undefined, bytes: Buffer.from('abc') }
  writer.add(whole)
  const bytes = Buffer.alloc(writer.roomBytes, 7)
  const part = { transfer: 2 ** 53 - 1, offset: 1, totalBytes: 64 * 1024 * 1024 }
  writer.add({ shard: 255, epoch: 2 ** 50, base: 0, seq: 2 ** 50, part, bytes })
  const message = writer.finish()
  expect(message.length).toBeLessThanOrEqual(MESSAGE_BYTES)
  const sections = [whole, { shard: 255, epoch: 2 ** 50, base: 0, seq: 2 ** 50, part, bytes }]
  expect(decodeRegistryMessage(message, incarnations)).toEqual({ kind: 'data', sections })
})

it('ignores an unknown version and an unknown kind', () => {
  const message = encodeSummary(incarnations.sender, 1, [])
  expect(decodeRegistryMessage(Uint8Array.from(message).fill(2, 0, 1), incarnations)).toBeUndefined()
  expect(decodeRegistryMessage(Uint8Array.from(message).fill(9, 1, 2), incarnations)).toBeUndefined()
})

it('rejects messages of another incarnation of the sender, and about another incarnation of ours', () => {
  const other = '0loyw3za6-zzzzzzzz'
  expect(() => decodeRegistryMessage(encodeSummary(other, 1, []), incarnations)).toThrow(MalformedError)
  expect(() => decodeRegistryMessage(encodeWants(other, 1, []), incarnations)).toThrow(MalformedError)
})

const seed = runSeed()

it(`throws only MalformedError for garbled and random bytes (SEED=${seed})`, () => {
  const random = seededRandom(seed)
  const byte = (): number => Math.floor(random() * 256)
  const message = encodeSummary(incarnations.sender, 1, [{ shard: 1, epoch: 2, seq: 3, digest: 4 }])
  for (let run = 0; run < 2000; run += 1) {
    const garbled = Uint8Array.from(message)
    const at = Math.floor(random() * garbled.length)
    garbled[at]! ^= 1 + Math.floor(random() * 255)
    const cut = message.subarray(0, Math.floor(random() * message.length))
    const noise = Uint8Array.from({ length: 40 }, byte).fill(1, 0, 1)
    for (const bytes of [garbled, cut, noise]) {
      try {
        expect(decodeRegistryMessage(bytes, incarnations)).toBeUndefined()
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError)
      }
    }
  }
})
