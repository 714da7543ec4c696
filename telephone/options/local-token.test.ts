import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findLocalToken, localTokenFiles } from './local-token.ts'

const TOKEN = 'data/secrets/telephone.jwt'
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vera-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function file(...path: readonly string[]): Promise<string> {
  const made = join(folder, ...path)
  await mkdir(join(made, '..'), { recursive: true })
  await writeFile(made, '')
  return made
}

it.each(['main.ts', 'launch.cjs'])(
  'finds the token of the checkout from any folder: telephone/%s',
  async name => {
    await file('checkout', 'telephone', 'main.ts')
    const program = await file('checkout', 'telephone', name)
    const link = join(folder, 'link')
    await symlink(program, link)
    for (const started of [program, link]) {
      expect(localTokenFiles('/elsewhere', started)).toEqual([
        join('/elsewhere', TOKEN),
        join(folder, 'checkout', TOKEN),
      ])
    }
    expect(localTokenFiles(join(folder, 'checkout'), program)).toEqual([join(folder, 'checkout', TOKEN)])
  },
)

it.each([
  ['a bundle', ['telephone', 'dist', 'main.js']],
  ['an installed package', ['node_modules', '@vera-stack', 'telephone', 'launch.cjs']],
  ['the program of a user of the library', ['app', 'main.ts']],
])('searches only the current folder for %s', async (_, path) => {
  expect(localTokenFiles('/elsewhere', await file(...path))).toEqual([join('/elsewhere', TOKEN)])
})

it.each([
  [['http://localhost:4000'], true],
  [['http://127.0.0.1:4000', 'http://[::1]:4000'], true],
  [['http://app.localhost'], true],
  [['https://proxy.example.com'], false],
  [['http://localhost:4000', 'https://proxy.example.com'], false],
  [['http://192.168.1.7:4000'], false],
  [['http://localhost.example.com'], false],
  [['http://127.0.0.1.example.com'], false],
])('finds the token only for Plugboards of this machine: %j', async (plugboards, isFound) => {
  const path = await file(TOKEN)
  expect(findLocalToken(plugboards, folder)).toBe(isFound ? path : undefined)
})
