// The direction of imports is a set of lint rules in biome.json, written by scripts/boundaries.ts. These tests prove that each
// rule can fail: in a scratch project, each rule must report one import and accept another one.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { withBoundaries } from '../../../scripts/boundaries.ts'

const ROOT = join(import.meta.dirname, '../../..')

const FORBIDDEN: [file: string, specifier: string][] = [
  ['shared/protocol/x.ts', 'node:net'],
  ['shared/protocol/wire/x.ts', 'node:fs/promises'],
  ['shared/protocol/wire/x.ts', 'ws'],
  ['shared/protocol/streams/x.ts', '../../net/websocket-transport.ts'],
  ['shared/protocol/x.ts', '../net/websocket-transport.ts'],
  ['shared/x.ts', 'ws'],
  ['shared/net/websocket-transport.ts', 'zod'],
  ['shared/x.ts', '../plugboard/config.ts'],
  ['shared/settings/x.ts', '../../telephone/telephone.ts'],
  ['telephone/x.ts', '../plugboard/routes/route-table.ts'],
  ['telephone/x.ts', '@vera-stack/plugboard/routes/route-table.ts'],
  ['telephone/x.ts', '../test/support/manual-clock.ts'],
  ['telephone/backend/x.ts', 'jose'],
  ['telephone/backend/http1/x.ts', 'zod'],
  ['telephone/backend/http1/parser/x.ts', 'zod'],
  ['telephone/backend/http1/x.test.ts', '../../../plugboard/config.ts'],
  ['plugboard/main.ts', 'pg'],
  ['plugboard/common/x.ts', '../database/store/store.ts'],
  ['plugboard/common/x.ts', 'zod'],
  ['plugboard/proxy/x.ts', '../../telephone/telephone.ts'],
  ['plugboard/proxy/x.ts', '@vera-stack/telephone'],
  ['plugboard/proxy/x.ts', '../admin/admin-app.ts'],
  ['plugboard/proxy/edge/x.ts', '../../admin/admin-app.ts'],
  ['plugboard/proxy/x.ts', '../config.ts'],
  ['plugboard/proxy/edge/x.ts', '../../config.ts'],
  ['plugboard/proxy/edge/x.ts', 'hono'],
  ['plugboard/cli/commands/x.ts', '../../admin/bodies/route.ts'],
  ['plugboard/admin/x.ts', '../proxy/server.ts'],
  ['plugboard/admin/http/x.ts', '../../proxy/server.ts'],
  ['plugboard/admin/http/x.ts', 'drizzle-orm'],
  ['plugboard/telephones/x.ts', '../proxy/server.ts'],
  ['plugboard/telephones/lines/x.ts', '../../proxy/server.ts'],
  ['plugboard/telephones/x.ts', 'yjs'],
  ['plugboard/routes/x.ts', '../telephones/switchboard.ts'],
  ['plugboard/routes/rules/x.ts', '../../registry/registry.ts'],
  ['plugboard/routes/x.ts', 'drizzle-orm/node-postgres'],
  ['plugboard/registry/wire/x.ts', 'ws'],
  ['plugboard/peers/x.ts', 'ws'],
  ['plugboard/peers/x.ts', '../telephones/lines/line-picker.ts'],
  ['plugboard/peers/link/dial-peer.ts', 'jose'],
  ['plugboard/database/x.ts', '../routes/route-table.ts'],
  ['plugboard/database/store/routes/x.ts', '../../../routes/route-table.ts'],
  ['plugboard/database/x.test.ts', '@vera-stack/telephone'],
  ['plugboard/tls/acme/x.ts', '../../proxy/server.ts'],
  ['plugboard/access/x.ts', '../proxy/server.ts'],
  ['plugboard/access/login/x.ts', '../../database/store/store.ts'],
  ['plugboard/routes/x.ts', '../access/gatekeeper.ts'],
  ['plugboard/cli/commands/x.ts', '../../admin/admin-app.ts'],
  ['plugboard/cli/x.ts', 'hono'],
  ['plugboard/dev/x.ts', '../database/migration/migrate.ts'],
  ['plugboard/replica/x.ts', '../cli/command-line.ts'],
  ['plugboard/replica/ports/x.ts', 'pg'],
  ['plugboard/a-new-folder/x.ts', 'some-library'],
  ['plugboard/a-new-folder/x.ts', '../routes/directory.ts'],
]

const ALLOWED: [file: string, specifier: string][] = [
  ['plugboard/cli/commands/x.ts', '../../admin/api-types.ts'],
  ['shared/protocol/y.ts', '../clock.ts'],
  ['shared/protocol/wire/y.ts', '../../text/cut-text.ts'],
  ['shared/protocol/wire/y.ts', './frame.ts'],
  ['shared/protocol/wire/y.ts', '../streams/stream.ts'],
  ['shared/net/websocket-transport.ts', 'ws'],
  ['telephone/y.ts', '@vera-stack/shared/protocol/session.ts'],
  ['telephone/backend/http1/y.ts', '../../events.ts'],
  ['plugboard/proxy/y.ts', '../telephones/switchboard.ts'],
  ['plugboard/proxy/edge/y.ts', '../../telephones/switchboard.ts'],
  ['plugboard/proxy/edge/y.ts', '../policy/request-policy.ts'],
  ['plugboard/proxy/y.ts', 'node:stream/promises'],
  ['plugboard/admin/http/y.ts', 'hono/cors'],
  ['plugboard/database/store/routes/y.ts', 'drizzle-orm/pg-core'],
  ['plugboard/database/store/routes/y.ts', '../../../common/json.ts'],
  ['plugboard/registry/documents/y.ts', 'yjs'],
  ['plugboard/registry/y.ts', '../common/ids/replica-id.ts'],
  ['plugboard/peers/y.ts', '../registry/line.ts'],
  ['plugboard/peers/link/dial-peer.ts', 'ws'],
  ['plugboard/tls/y.ts', 'node:tls'],
  ['plugboard/access/login/y.ts', 'jose'],
  ['plugboard/proxy/policy/y.ts', '../../access/gatekeeper.ts'],
  ['plugboard/cli/y.ts', 'commander'],
  ['plugboard/cli/commands/y.ts', '../../database/migration/migrate.ts'],
  ['plugboard/replica/y.ts', '../config.ts'],
  ['plugboard/replica/ports/y.ts', '../../tls/ciphers.ts'],
  ['plugboard/main.ts', './cli/command-line.ts'],
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

it('biome.json holds the rules of scripts/boundaries.ts (else: npm run boundaries)', async () => {
  const config = await readFile(join(ROOT, 'biome.json'), 'utf8')
  expect(withBoundaries(config)).toBe(config)
})

it('reports each forbidden import and accepts the others', async () => {
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

it('reports a cycle of type imports', async () => {
  const files = new Map([
    ['shared/a.ts', ["import type { B } from './b.ts'", 'export type A = B[]']],
    ['shared/b.ts', ["import type { A } from './a.ts'", 'export type B = A[]']],
  ])
  const findings = await lint(await scratchProject(files), 'suspicious/noImportCycles')
  expect(findings.map(({ location }) => location.path).sort()).toEqual(['shared/a.ts', 'shared/b.ts'])
})
