// The texts that the dashboard shows with a new token really connect a Telephone: each one runs with the paths and ports of the test.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { IssuedTokenBody } from '../../../plugboard/admin/api-types.ts'
import { type Form, tokenCommands } from '../../../plugboard/dashboard/src/pages/access/token-commands.ts'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import type { Child } from '../../support/process/child.ts'
import { findProgram } from '../../support/process/find-program.ts'
import { cleanEnvironment } from '../../support/programs/plugboard-process.ts'
import { useStack } from '../../support/programs/stack.ts'

const ROOT = join(import.meta.dirname, '../../..')
const PROGRAM = `${process.execPath} ${join(ROOT, 'telephone/main.ts')}`
const stack = useStack({ withoutTelephone: true })

interface Use {
  readonly texts: readonly string[]
  readonly token: string
  readonly folder: string
  readonly host: string
}

/** Issues a token, and returns the texts for it, with the URL of the Plugboard of the test. */
async function issue(form: Form): Promise<Use> {
  const host = `${form}.localhost`
  const issued = await stack.plugboard.call<IssuedTokenBody>('POST', '/v1/tokens', {
    ...{ name: `${form} 1`, services: [form], mounts: [host] },
  })
  const folder = join(stack.folder, form)
  await mkdir(folder)
  const use = { ...issued, plugboardUrl: stack.plugboard.url }
  return { texts: tokenCommands(form, use).map(({ text }) => text), token: issued.token, folder, host }
}

/** Runs a command of a shell, as a person does who pastes the token. */
async function paste(command: string, token: string, cwd: string): Promise<void> {
  const child = spawn('sh', ['-c', command], { cwd, stdio: ['pipe', 'inherit', 'inherit'] })
  child.stdin.end(`${token}\n`)
  expect((await once(child, 'close'))[0]).toBe(0)
}

async function expectPrivate(file: string): Promise<void> {
  expect((await stat(file)).mode & 0o777).toBe(0o600)
}

async function expectServed({ host }: Use, child: Child): Promise<void> {
  await eventually(`${host} is served`, async () => {
    if (!child.running) throw new Error(child.output)
    return (await send({ port: stack.port, host, path: '/hello' })).status === 200 || undefined
  })
  child.expectedExitCodes = [0]
  await child.stop()
}

const start = (command: string, cwd: string, env: Record<string, string> = {}): Child =>
  stack.processes.start({
    ...{ name: 'telephone', command: 'sh', args: ['-c', `exec ${command}`], cwd, env: cleanEnvironment(env) },
  })

/** Starts `telephone start` with the variables of a text, and with the paths of the test. */
function startWith(variables: Readonly<Record<string, string>>, use: Use): Child {
  const file = join(use.folder, 'token')
  return start(`${PROGRAM} start`, use.folder, {
    ...variables,
    TELEPHONE_TOKEN_FILE: file,
    TELEPHONE_TARGET: `http://127.0.0.1:${stack.backend.port}`,
  })
}

describe('the texts for a new token connect a telephone', () => {
  it('as a command', async () => {
    const use = await issue('http')
    const [write = '', run = ''] = use.texts
    await paste(write, use.token, use.folder)
    await expectPrivate(join(use.folder, 'http-1.jwt'))
    const command = run
      .replace('npx @vera-stack/telephone', PROGRAM)
      .replace('http 3000', `http ${stack.backend.port}`)
    await expectServed(use, start(command, use.folder))
  })

  it('as a unit of systemd', async () => {
    const use = await issue('systemd')
    const [write = '', unit = '', enable = ''] = use.texts
    expect(enable).toContain('telephone-systemd-1')
    // Another user and its folder need root, so the test replaces both.
    const own = write
      .split('\n')
      .at(-1)!
      .replaceAll('/var/lib/telephone-systemd-1', use.folder)
      .replace(/ && chown .*/, '')
    await paste(own, use.token, use.folder)
    await expectPrivate(join(use.folder, 'token'))
    const analyze = findProgram('systemd-analyze')
    if (analyze !== undefined) {
      const file = join(use.folder, 'telephone-test.service')
      await writeFile(file, unit.replace('/usr/local/bin/telephone', '/bin/true'))
      const { stderr } = await promisify(execFile)(analyze, ['verify', '--man=no', file])
      expect(stderr).toBe('')
    }
    const variables = [...unit.matchAll(/^Environment="(\w+)=(.*)"$/gm)].map(([, name, value]) => [
      name,
      value,
    ])
    await expectServed(use, startWith(Object.fromEntries(variables) as Record<string, string>, use))
  })

  it('as a service of Compose', async () => {
    const use = await issue('compose')
    const [write = '', file = ''] = use.texts
    const script = /-c '([^']+)'$/.exec(write)![1]!
    await paste(script.replace('/tokens/compose-1.jwt', join(use.folder, 'token')), use.token, use.folder)
    await expectPrivate(join(use.folder, 'token'))
    const { services, volumes } = parse(file) as {
      services: { telephone: { environment: Record<string, string>; volumes: string[] } }
      volumes: Record<string, unknown>
    }
    const { environment, volumes: mounts } = services.telephone
    expect([mounts, Object.keys(volumes)]).toEqual([['telephone-tokens:/tokens'], ['telephone-tokens']])
    expect(environment.TELEPHONE_TOKEN_FILE).toBe('/tokens/compose-1.jwt')
    await expectServed(use, startWith(environment, use))
  })

  it('as a container of Kubernetes', async () => {
    const use = await issue('kubernetes')
    const [secret = '', file = ''] = use.texts
    await paste('umask 077; cat > token', use.token, use.folder)
    const { containers, volumes } = parse(file) as {
      containers: { env: { name: string; value: string }[]; volumeMounts: { name: string }[] }[]
      volumes: { name: string; secret: { secretName: string } }[]
    }
    expect(secret).toContain(`generic ${volumes[0]!.secret.secretName} --from-file=token=/dev/stdin`)
    expect(containers[0]!.volumeMounts[0]!.name).toBe(volumes[0]!.name)
    const variables = Object.fromEntries(containers[0]!.env.map(({ name, value }) => [name, value]))
    await expectServed(use, startWith(variables, use))
  })

  it('as code of the library', async () => {
    const use = await issue('library')
    const [write = '', code = ''] = use.texts
    await paste(write, use.token, use.folder)
    await expectPrivate(join(use.folder, 'library-1.jwt'))
    const file = join(use.folder, 'app.mjs')
    const library = pathToFileURL(join(ROOT, 'telephone/index.ts')).href
    await writeFile(
      file,
      code
        .replace('@vera-stack/telephone', library)
        .replace('http://127.0.0.1:3000', `http://127.0.0.1:${stack.backend.port}`),
    )
    const child = start(`${process.execPath} ${file}`, use.folder)
    // The code of a user has no handler of signals.
    child.expectedExitCodes = []
    await child.waitForLine(/library\.localhost/)
    expect((await send({ port: stack.port, host: use.host, path: '/hello' })).status).toBe(200)
    child.expectedToExit = true
    child.signal('SIGKILL')
    await child.exited
    expect(await readFile(join(use.folder, 'library-1.jwt'), 'utf8')).toContain('.')
  })
})
