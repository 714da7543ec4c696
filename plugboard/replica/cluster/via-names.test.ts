import { expect, it } from 'vitest'
import { viaNames } from './via-names.ts'

const SECRET = 'a secret that replicas share'
const OTHER = 'a secret that follows it'

it('gives all replicas of a cluster the same name, from the first secret', async () => {
  const names = await viaNames([SECRET])
  expect(await viaNames([SECRET])).toEqual(names)
  expect(names).toEqual([expect.stringMatching(/^plugboard-[0-9a-f]{16}$/)])
})

it('recognises the names of all accepted secrets, so that a secret can be replaced replica by replica', async () => {
  const [name] = await viaNames([SECRET])
  const [newer, older] = await viaNames([OTHER, SECRET])
  expect(older).toBe(name)
  expect(newer).not.toBe(name)
})

it('gives a replica without a cluster secret a new random name at each start', async () => {
  const [one] = await viaNames()
  const [two] = await viaNames(undefined)
  expect(one).toMatch(/^plugboard-[0-9a-f]{16}$/)
  expect(two).not.toBe(one)
})
