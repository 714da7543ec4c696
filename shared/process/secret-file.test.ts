import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { secretFileProblem, secretModeProblem } from './secret-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secret-file-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const fileOf = (mode: number): string => {
  const file = join(folder, 'secret')
  writeFileSync(file, 'x')
  chmodSync(file, mode)
  return file
}

test.each([0o600, 0o400, 0o640, 0o660, 0o440])('accepts the mode %o', mode => {
  expect(secretFileProblem(fileOf(mode))).toBeUndefined()
})

test.each([
  [0o644, 'read', '0644'],
  [0o604, 'read', '0604'],
  [0o666, 'change', '0666'],
  [0o602, 'change', '0602'],
])('reports the mode %o with the command that corrects it', (mode, what, octal) => {
  const file = fileOf(mode)
  expect(secretFileProblem(file)).toBe(
    `Other users of this machine can ${what} ${file} (mode ${octal}): run "chmod 600 ${file}".`,
  )
})

test('names the mode of a folder', () => {
  const open = join(folder, 'open')
  mkdirSync(open)
  expect(secretModeProblem(open, 0o040755)).toContain(`run "chmod 700 ${open}"`)
})

test('accepts a missing file, a pipe and a folder, because reading them reports the problem', () => {
  expect(secretFileProblem(join(folder, 'missing'))).toBeUndefined()
  expect(secretFileProblem(folder)).toBeUndefined()
})
