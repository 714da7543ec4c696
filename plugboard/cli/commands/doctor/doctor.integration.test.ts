// Tests `plugboard doctor` while no Plugboard responds: the command checks this machine.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DoctorBody } from '../../../admin/api-types.ts'
import { runCommandLine } from '../../command-line.ts'

async function doctor(...args: string[]): Promise<{ code: number; out: string }> {
  let out = ''
  const write = (text: string) => {
    out += text
  }
  const code = await runCommandLine(['doctor', ...args], {
    terminal: { out: write, err: () => undefined, colours: false },
    env: {},
    cwd: '/',
    now: Date.now,
    interrupted: () => new AbortController().signal,
  })
  return { code, out }
}

describe('plugboard doctor', () => {
  it('checks this machine when no Plugboard responds, and exits with 1', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
    try {
      const port = ['--url', 'http://127.0.0.1:1', '--data', folder, '--json']
      const { code, out } = await doctor(...port)
      expect(code).toBe(1)
      const { items } = JSON.parse(out) as DoctorBody
      const rowOf = (id: string) => items.find(item => item.id === id)
      expect(items[0]?.state).toBe('failed')
      expect(rowOf('process.running')?.detail).toContain('No Plugboard responds at http://127.0.0.1:1')
      expect(rowOf('configuration.settings')?.state).toBe('ok')
      expect(rowOf('database.reachable')).toMatchObject({
        state: 'unknown',
        detail: expect.stringContaining('the first start creates it'),
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('names an invalid setting, and runs no check that needs it', async () => {
    const { out } = await doctor('--url', 'http://127.0.0.1:1', '--database-url', 'mysql://db', '--json')
    const { items } = JSON.parse(out) as DoctorBody
    expect(items.map(({ id }) => id)).toEqual(['process.running', 'configuration.settings'])
    expect(items[1]?.detail).toContain('database')
  })

  it('checks only the connection when the URL names another machine', async () => {
    const { out } = await doctor('--url', 'http://127.0.0.2:1')
    expect(out).toMatch(/^failed +process\.running +No Plugboard responds/)
    expect(out).toContain('1 failed, 0 with a warning, 0 unknown, 0 ok.')
  })
})
