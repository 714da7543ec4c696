import { expect, it } from 'vitest'
import { telephoneCommand } from './telephone-command.ts'

const remote = { token: 'a.b.c', plugboardUrl: 'https://proxy.example.com' }
const line = (services: string[], mounts: string[], target = '3000') =>
  telephoneCommand({ ...remote, services, mounts }, target)
const START =
  'TELEPHONE_TOKEN=a.b.c npx @vera-stack/telephone http 3000 --plugboard https://proxy.example.com'

it.each([
  [['web'], [], ' --service web'],
  [['shop-*'], [], ' --service shop-1'],
  [['*'], ['app.example.com/api'], ' --mount app.example.com/api'],
  [['app.example.com'], ['app.example.com'], ' --mount app.example.com'],
  [['web'], ['app.example.com'], ' --mount app.example.com --service web'],
  [['shop-*'], ['*.example.com', 'shop.example.com'], ' --mount shop.example.com --service shop-1'],
  [['tunnel-*'], ['*.t.example.com'], ''],
  [['*'], ['*'], ''],
  [['web'], ['*.t.example.com'], ' --mount app.t.example.com --service web'],
  [['web'], ['*/hooks'], ' --mount app/hooks --service web'],
  [[], [], ''],
])(
  'returns the flags for a token with the services %j and the mounts %j',
  async (services, mounts, flags) => {
    expect(await line(services, mounts)).toBe(START + flags)
  },
)

it('quotes a target for the shell', async () => {
  expect(await line(['web'], [], 'unix:/run/a b.sock')).toContain(" http 'unix:/run/a b.sock' ")
})

it('names the Telephone of this machine by its full path for a Plugboard on this machine', async () => {
  const local = { ...remote, plugboardUrl: 'http://localhost:4000', services: ['*'], mounts: ['*'] }
  expect(await telephoneCommand(local, '3000')).toMatch(
    /^TELEPHONE_TOKEN=a\.b\.c (node|\/\S+|'[^']+') \S*\/telephone\/launch\.cjs http 3000$/,
  )
})
