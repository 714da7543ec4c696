import { expect, test } from 'vitest'
import { hashKey, keyedHash } from './keyed-hash.ts'

const KEY = hashKey(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]))
/** The input of the reference vectors: the bytes 0, 1, 2, … */
const counting = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => at)).toString('utf16le')

test.each([
  [0, '218d1f59b9b83cc8'],
  [2, '064f39ef7c50eb57'],
  [4, 'd5e78a175be52ea1'],
  [6, 'ce3e91358aa2bc25'],
  [8, 'edfee820bce4858c'],
  [10, '95b0469f06a6f2ee'],
  [24, '70741045ae3fa6f1'],
])('the reference vector of %i bytes', (bytes, hash) => {
  const reference = Buffer.from(hash, 'hex').readBigUInt64LE()
  expect(BigInt(keyedHash(counting(bytes), KEY))).toBe(BigInt.asUintN(53, reference))
})

test('is an exact integer that depends on the text and on the key', () => {
  const hashes = new Set<number>()
  for (let index = 0; index < 10_000; index += 1) hashes.add(keyedHash(`192.0.2.${index}`, KEY))
  expect(hashes.size).toBe(10_000)
  for (const hash of hashes) expect(Number.isSafeInteger(hash) && hash >= 0).toBe(true)
  expect(keyedHash('a', KEY)).not.toBe(keyedHash('a', hashKey(Buffer.from('another key'))))
})
