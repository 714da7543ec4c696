import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../deadline.ts'
import { freePort } from './free-port.ts'
import { listProcesses } from './process-table.ts'
import { Processes } from './processes.ts'

const script = (source: string) => ['--input-type=module', '--eval', source]
const STAYS = `process.on('SIGTERM', () => process.exit(0)); console.log('ready'); setInterval(() => {}, 1000)`

describe('Processes', () => {
  const processes = new Processes()
  afterEach(() => processes.stopAll())

  it('waits for a line, stops with SIGTERM and accepts exit code 0', async () => {
    const child = processes.node('stays', script(STAYS))
    await child.waitForLine(/^ready$/)
    expect(await child.stop()).toEqual({ code: 0, signal: null })
    await processes.stopAll()
  })

  it('ends a process that was stopped by SIGSTOP', async () => {
    const child = processes.node('frozen', script(STAYS))
    await child.waitForLine(/ready/)
    child.signal('SIGSTOP')
    await processes.stopAll()
    expect(child.exit).toEqual({ code: 0, signal: null })
  })

  it('reports a crash with its output', async () => {
    const child = processes.node('crash', script(`console.error('the reason'); process.exit(3)`))
    await child.exited
    await expect(processes.stopAll()).rejects.toThrow(/crash ended by itself: exit code 3[\s\S]*the reason/)
  })

  it('reports an exit code other than 0 at the end', async () => {
    const child = processes.node('rude', script(STAYS.replace('exit(0)', 'exit(7)')))
    await child.waitForLine(/ready/)
    await expect(processes.stopAll()).rejects.toThrow(/rude was stopped and ended with exit code 7/)
  })

  it('kills and reports a process that ignores SIGTERM', async () => {
    const deaf = `process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)`
    const child = processes.node('deaf', script(deaf))
    await child.waitForLine(/ready/)
    await expect(child.stop('SIGTERM', 50)).rejects.toThrow(/deaf ends after SIGTERM/)
    expect(child.exit?.signal).toBe('SIGKILL')
  })

  it('kills and reports a grandchild that is left behind', async () => {
    const parent = `
      import { spawn } from 'node:child_process'
      const left = spawn('sleep', ['600'], { stdio: 'ignore' })
      console.log('left', left.pid)
      process.on('SIGTERM', () => process.exit(0))`
    const child = processes.node('careless', script(parent))
    const [, pid] = await child.waitForLine(/^left (\d+)$/)
    await expect(processes.stopAll()).rejects.toThrow(/careless left processes behind: sleep 600/)
    await eventually('the grandchild has exited', () => {
      const left = listProcesses().some(row => row.pid === Number(pid) && !row.zombie)
      return left ? undefined : true
    })
  })

  it('reports the output of a process that ends without the expected line', async () => {
    const child = processes.node('other', script(`console.log('something else')`))
    child.expectedToExit = true
    await expect(child.waitForLine(/ready/)).rejects.toThrow(/exit code 0[\s\S]*something else/)
  })
})

describe('freePort', () => {
  it('never returns the same port twice', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, freePort))
    expect(new Set(ports).size).toBe(20)
  })
})
