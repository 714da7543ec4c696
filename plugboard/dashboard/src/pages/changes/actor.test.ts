import { expect, test } from 'vitest'
import { actorText } from './actor.ts'

const names = new Map([['admin-key:a990b826-7c1f-4a55-9c55-2c2c1f0b7d11', 'deploy: eu']])

test('names the key of a change, and shortens the id of a key without a name', () => {
  expect(actorText('admin-key:a990b826-7c1f-4a55-9c55-2c2c1f0b7d11', names)).toBe('key deploy: eu')
  expect(actorText('token:7d3f4a5e-1c1b-4e0e-9d5c-2f1f6a0b8c11', names)).toBe('token 7d3f4a5e…')
})

test('keeps an actor that is neither a key nor a token', () => {
  for (const actor of ['system', 'plugboard key reset', 'toString:1'])
    expect(actorText(actor, names)).toBe(actor)
})
