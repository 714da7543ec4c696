// Tests `telephone check --container` against each state of a Telephone. This process serves the states under its own scope;
// cli.integration.test.ts runs the programs.

import { randomUUID } from 'node:crypto'
import { serveLocalStatus } from '@vera-stack/shared/process/local-status.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { checkContainer } from './check-container.ts'

useLeakCheck()

let scope: string
beforeEach(() => {
  scope = randomUUID()
})

async function check(json: boolean): Promise<{ ok: boolean; output: string }> {
  let output = ''
  const out = (text: string): void => {
    output += text
  }
  const terminal = { out, err: out, colours: false, isTerminal: false }
  return { ok: await checkContainer(terminal, { VERA_STATUS_SCOPE: scope }, json), output }
}

describe.runIf(process.platform === 'linux')('the health of a container', () => {
  it.each(['connecting', 'ready', 'draining'])('is healthy while its Telephone is %s', async state => {
    const server = serveLocalStatus({
      program: 'telephone',
      scope,
      status: () => ({ state, detail: '0 of 2 tunnels are open' }),
      onProblem: error => {
        throw error
      },
    })
    const text = `telephone, process ${process.pid}: ${state}, 0 of 2 tunnels are open`
    expect(await check(false)).toEqual({ ok: true, output: `✓ ${text}\n` })
    await server.close()
  })

  it('is unhealthy without a Telephone', async () => {
    const text = 'No Telephone runs in this container.'
    expect(await check(false)).toEqual({ ok: false, output: `✗ ${text}\n` })
    const { ok, output } = await check(true)
    expect([ok, JSON.parse(output)]).toEqual([false, { ok: false, findings: [{ ok: false, text }] }])
  })
})
