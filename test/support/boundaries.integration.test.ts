// The folder boundaries are biome rules (biome.json, `overrides`). A rule that cannot fail is a defect: here
// each of them meets an import that it must catch, and one that it must let through, in a scratch project.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

const FORBIDDEN: [file: string, specifier: string][] = [
  ['shared/protocol/x.ts', 'node:net'],
  ['shared/protocol/x.ts', 'node:fs/promises'],
  ['shared/protocol/x.ts', 'ws'],
  ['shared/protocol/x.ts', '../websocket-transport.ts'],
  ['shared/x.ts', 'ws'],
  ['shared/x.ts', '../plugboard/config.ts'],
  ['shared/settings/x.ts', '../../telephone/telephone.ts'],
  ['telephone/x.ts', '../plugboard/routes/table.ts'],
  ['telephone/x.ts', '@vera-stack/plugboard/routes/table.ts'],
  ['telephone/x.ts', '../test/support/manual-clock.ts'],
  ['telephone/http1/x.test.ts', '../../plugboard/plugboard.ts'],
  ['plugboard/main.ts', 'pg'],
  ['plugboard/proxy/x.ts', '../../telephone/telephone.ts'],
  ['plugboard/proxy/x.ts', '@vera-stack/telephone'],
  ['plugboard/proxy/x.ts', '../admin/api.ts'],
  ['plugboard/proxy/x.ts', '../plugboard.ts'],
  ['plugboard/proxy/x.ts', 'hono'],
  ['plugboard/admin/x.ts', '../proxy/answer.ts'],
  ['plugboard/admin/x.ts', 'drizzle-orm'],
  ['plugboard/telephones/x.ts', '../proxy/answer.ts'],
  ['plugboard/telephones/x.ts', 'yjs'],
  ['plugboard/routes/x.ts', '../telephones/pick.ts'],
  ['plugboard/routes/x.ts', '../registry/registry.ts'],
  ['plugboard/routes/x.ts', 'drizzle-orm/node-postgres'],
  ['plugboard/registry/x.ts', 'ws'],
  ['plugboard/peers/x.ts', 'ws'],
  ['plugboard/peers/x.ts', '../telephones/line-picker.ts'],
  ['plugboard/peers/link/dial-peer.ts', 'jose'],
  ['plugboard/database/x.ts', '../routes/table.ts'],
  ['plugboard/database/x.test.ts', '@vera-stack/telephone'],
  ['plugboard/tls/x.ts', '../proxy/server.ts'],
  ['plugboard/access/x.ts', '../proxy/server.ts'],
  ['plugboard/access/x.ts', '../database/store.ts'],
  ['plugboard/routes/x.ts', '../access/cors.ts'],
  ['plugboard/cli/x.ts', '../admin/admin-app.ts'],
  ['plugboard/cli/x.ts', 'hono'],
  ['plugboard/a-new-folder/x.ts', 'some-library'],
]

const ALLOWED: [file: string, specifier: string][] = [
  ['shared/protocol/y.ts', '../clock.ts'],
  ['shared/protocol/y.ts', '../cut-text.ts'],
  ['shared/protocol/y.ts', './frame.ts'],
  ['shared/websocket-transport.ts', 'ws'],
  ['telephone/y.ts', '@vera-stack/shared/protocol/session.ts'],
  ['plugboard/proxy/y.ts', '../telephones/pick.ts'],
  ['plugboard/proxy/y.ts', 'node:stream/promises'],
  ['plugboard/admin/y.ts', 'hono/cors'],
  ['plugboard/database/y.ts', 'drizzle-orm/pg-core'],
  ['plugboard/registry/y.ts', 'yjs'],
  ['plugboard/peers/y.ts', '../registry/line.ts'],
  ['plugboard/peers/link/dial-peer.ts', 'ws'],
  ['plugboard/tls/y.ts', 'node:tls'],
  ['plugboard/access/y.ts', 'jose'],
  ['plugboard/proxy/y.ts', '../access/gatekeeper.ts'],
  ['plugboard/cli/y.ts', 'commander'],
  ['plugboard/cli/y.ts', '../database/migrate.ts'],
  ['plugboard/main.ts', './plugboard.ts'],
  ['plugboard/proxy/y.test.ts', '../../test/support/manual-clock.ts'],
]

interface Finding {
  category: string
  location: { path: string; start: { line: number } }
}

async function scratchProject(files: Map<string, string[]>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'boundaries-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const config = await readFile(join(ROOT, 'biome.json'), 'utf8')
  await writeFile(join(folder, 'biome.json'), config.replace('"enabled": true', '"enabled": false'))
  for (const [file, lines] of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), lines.join('\n'))
  }
  return folder
}

async function lint(folder: string, rule: string): Promise<Finding[]> {
  const biome = join(ROOT, 'node_modules/.bin/biome')
  const output = await new Promise<string>((resolve, reject) => {
    const options = { cwd: folder, maxBuffer: 1 << 24 }
    const args = ['lint', `--only=${rule}`, '--reporter=json', '--max-diagnostics=none', '.']
    execFile(biome, args, options, (error, stdout) => (stdout ? resolve(stdout) : reject(error)))
  })
  return (JSON.parse(output) as { diagnostics: Finding[] }).diagnostics
}

it('catches each forbidden import and lets the others through', async () => {
  const files = new Map<string, string[]>()
  const lineOf = new Map<string, string>()
  for (const [file, specifier] of [...FORBIDDEN, ...ALLOWED]) {
    const lines = files.get(file) ?? []
    // Types are imports too.
    lines.push(`export type { X as X${lines.length} } from '${specifier}'`)
    files.set(file, lines)
    lineOf.set(`${file}:${lines.length}`, `${file} ← ${specifier}`)
  }
  const findings = await lint(await scratchProject(files), 'style/noRestrictedImports')
  const caught = new Set(
    findings.map(({ location }) => lineOf.get(`${location.path}:${location.start.line}`)),
  )
  expect([...caught].sort()).toEqual(FORBIDDEN.map(([file, specifier]) => `${file} ← ${specifier}`).sort())
})

it('catches a cycle that consists of types alone', async () => {
  const files = new Map([
    ['shared/a.ts', ["import type { B } from './b.ts'", 'export type A = B[]']],
    ['shared/b.ts', ["import type { A } from './a.ts'", 'export type B = A[]']],
  ])
  const findings = await lint(await scratchProject(files), 'suspicious/noImportCycles')
  expect(findings.map(({ location }) => location.path).sort()).toEqual(['shared/a.ts', 'shared/b.ts'])
})
