import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ownCommand, shellQuoted } from './own-command.ts'

let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'own command ')))
})
afterEach(() => rmSync(folder, { recursive: true }))

function file(...path: string[]): string {
  const name = join(folder, ...path)
  mkdirSync(join(name, '..'), { recursive: true })
  writeFileSync(name, '#!/bin/sh\necho "$0" "$@"\n')
  chmodSync(name, 0o755)
  return name
}

it('names Node and the file of a checkout by their full paths', () => {
  for (const name of ['launch.cjs', 'main.ts']) {
    const main = file('telephone', name)
    const command = ownCommand('telephone', { main, path: '/nowhere', node: '/opt/node' })
    expect(command).toBe(`/opt/node '${main}'`)
  }
})

it('names Node without its path when the shell finds the same one', () => {
  const main = file('telephone', 'main.ts')
  const node = file('bin', 'node')
  const path = [join(folder, 'nowhere'), join(folder, 'bin')].join(delimiter)
  expect(ownCommand('telephone', { main, path, node })).toBe(`node '${main}'`)
})

it('names the installed program when the shell finds exactly this one', () => {
  const launcher = file('lib', 'node_modules', '@vera-stack', 'telephone', 'launch.cjs')
  const main = file('lib', 'node_modules', '@vera-stack', 'telephone', 'main.js')
  mkdirSync(join(folder, 'bin'))
  symlinkSync(launcher, join(folder, 'bin', 'telephone'))
  const path = join(folder, 'bin')
  for (const started of [join(path, 'telephone'), launcher, main]) {
    expect(ownCommand('telephone', { main: started, path, node: '/opt/node' })).toBe('telephone')
  }
})

it('never names a program of another package', () => {
  const main = file('telephone', 'main.ts')
  file('bin', 'telephone')
  const command = ownCommand('telephone', { main, path: join(folder, 'bin'), node: '/opt/node' })
  expect(command).toBe(`/opt/node '${main}'`)
})

it('ignores the folders that npm adds to the path of its child', () => {
  const main = file('telephone', 'main.ts')
  const node = file('node_modules', '.bin', 'node')
  symlinkSync(main, join(folder, 'node_modules', '.bin', 'telephone'))
  const path = join(folder, 'node_modules', '.bin')
  expect(ownCommand('telephone', { main, path, node })).toBe(`'${node}' '${main}'`)
})

it('names the scoped package when npx has downloaded the program', () => {
  const main = file('_npx', 'f00', 'node_modules', '@vera-stack', 'telephone', 'main.js')
  expect(ownCommand('telephone', { main, path: '', node: '/opt/node' })).toBe('npx @vera-stack/telephone')
})

it('is the bare name in a process that is not one of our programs', () => {
  expect(ownCommand('plugboard')).toBe('plugboard')
  expect(ownCommand('plugboard', { main: join(folder, 'absent', 'main.ts') })).toBe('plugboard')
})

it('is a valid shell command when its paths contain blanks and quotes', () => {
  const main = file(`it's here`, 'main.ts')
  const command = ownCommand('telephone', { main, path: '/nowhere', node: '/bin/echo' })
  expect(execFileSync('sh', ['-c', `${command} http 3000`], { cwd: '/', encoding: 'utf8' })).toBe(
    `${main} http 3000\n`,
  )
  expect(shellQuoted('plain/path.ts')).toBe('plain/path.ts')
})
