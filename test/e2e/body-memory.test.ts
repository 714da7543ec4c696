// The scavenges after body bytes (docs/decisions/0006): both programs force them, and the library does so on request only. Each
// process counts its own scavenges and reports the number on stderr when it ends.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { send } from '../support/http/http-client.ts'
import type { Child } from '../support/process/child.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const BYTES = 16 * 1_048_576
const stack = useStack({ withoutTelephone: true })
const sourceOf = (file: string): string => new URL(`../../${file}`, import.meta.url).href

/** Writes a program that counts the forced scavenges of its process and runs `code`. Returns its path. */
async function countingProgram(name: string, code: string): Promise<string> {
  const path = join(stack.folder, `${name}.mjs`)
  const source = `
    import { writeSync } from 'node:fs'
    import { constants, PerformanceObserver } from 'node:perf_hooks'
    const { NODE_PERFORMANCE_GC_MINOR: MINOR, NODE_PERFORMANCE_GC_FLAGS_FORCED: FORCED } = constants
    let count = 0
    const add = entries => {
      count += entries.filter(({ detail }) => detail.kind === MINOR && (detail.flags & FORCED) !== 0).length
    }
    const observer = new PerformanceObserver(list => add(list.getEntries()))
    observer.observe({ entryTypes: ['gc'] })
    process.on('exit', () => {
      add(observer.takeRecords())
      writeSync(2, 'forced scavenges: ' + count + '\\n')
    })
    ${code}`
  await writeFile(path, source)
  return path
}

const countOf = (child: Child): number => Number(/forced scavenges: (\d+)/.exec(child.output)?.[1])

/** Moves a body through Plugboard and the telephone, and ends the telephone. Returns its number of scavenges. */
async function scavengesOf(telephone: Child): Promise<number> {
  const { status, body } = await send({ port: stack.port, host: HOST, path: `/download?bytes=${BYTES}` })
  expect([status, body.length]).toEqual([200, BYTES])
  await telephone.stop()
  return countOf(telephone)
}

// Hooks run in this order: the stack has started.
beforeAll(async () => {
  await stack.plugboard.child.stop()
  const program = await countingProgram('plugboard', `await import('${sourceOf('plugboard/main.ts')}')`)
  stack.plugboard = await stack.startPlugboard({ program })
})

it.each([
  ['forces no scavenge in the process of an application', '', 0, 0],
  ['forces scavenges after the application has asked for them', 'collectBodyMemory()', 3, 1000],
])('the library %s', async (_name, request, atLeast, atMost) => {
  const { plugboard, backend, processes } = stack
  const options = { plugboard: plugboard.url, token: stack.token, service: SERVICE }
  const program = await countingProgram(
    'application',
    `const { collectBodyMemory, connect } = await import('${sourceOf('telephone/index.ts')}')
    ${request}
    const telephone = await connect({ ...${JSON.stringify(options)}, target: ${backend.port} })
    process.once('SIGTERM', () => telephone.close())
    console.log('connected')`,
  )
  const application = processes.node('application', [program], { env: cleanEnvironment() })
  await application.waitForLine(/connected/)
  const count = await scavengesOf(application)
  expect(count).toBeGreaterThanOrEqual(atLeast)
  expect(count).toBeLessThanOrEqual(atMost)
})

// The last test, because it ends Plugboard.
it('Plugboard and the program Telephone force scavenges while a large body passes', async () => {
  const program = await countingProgram('telephone', `await import('${sourceOf('telephone/main.ts')}')`)
  const telephone = await stack.startTelephone({ program })
  expect(await scavengesOf(telephone.child)).toBeGreaterThan(2)
  await stack.plugboard.child.stop()
  expect(countOf(stack.plugboard.child)).toBeGreaterThan(2)
})
