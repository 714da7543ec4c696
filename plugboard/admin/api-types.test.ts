import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('exports only types, so that the command line loads no code of the admin API', async () => {
  const source = await readFile(join(import.meta.dirname, 'api-types.ts'), 'utf8')
  expect(source).toContain('export type {')
  const code = stripTypeScriptTypes(source).replaceAll(/^\/\/.*$/gm, '')
  expect(code.replaceAll(/[\s;]/g, '')).toBe('')
})
